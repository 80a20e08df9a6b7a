// SPDX-License-Identifier: Apache-2.0

package subscribers

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// KindKey is the kind of the records of API keys.
const KindKey = "key"

// KeyPrefix begins every API key, so that people and scanners recognise one in the
// wrong place.
const KeyPrefix = "whk_"

const (
	// MaxKeys is how many keys a tenant may have.
	MaxKeys = 100
	// usedEvery is how often it is noted that a key was used.
	usedEvery = time.Hour
	// shownHash is how many characters of a key's hash name it.
	shownHash = 20
)

// Key is an API key of a tenant. The key itself is shown once, when it is made; only
// its hash is kept.
type Key struct {
	// ID names it: key_ and the beginning of its hash.
	ID string
	// Tenant is whose endpoints it is for; "" is the operator's.
	Tenant string
	// Name is its name for people, and By who made it.
	Name, By string
	Created  time.Time
	// Expires is when it ends, zero for never.
	Expires time.Time
	// Used is when it was last used, within the hour; zero for never.
	Used time.Time
}

// keptKey is a key as it is stored. It is not sealed: a hash of so much randomness tells
// nothing, and keys go on working when those that seal are lost.
type keptKey struct {
	Hash    string    `json:"hash"`
	Name    string    `json:"name,omitempty"`
	By      string    `json:"by,omitempty"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used,omitzero"`
}

// Keys keeps the API keys of all tenants.
type Keys struct {
	Store Store
	Now   func() time.Time
}

// Create makes a key, and returns it with its text, which nobody can read again. With
// returns records that are written in the same step; nil for none.
func (k *Keys) Create(ctx context.Context, key Key, with func(of *Key, text string) ([]queue.Record, error)) (Key, string, error) {
	if err := k.check(ctx, &key); err != nil {
		return Key{}, "", err
	}
	text := KeyPrefix + strings.ToLower(rand.Text())
	hash := hashOf(text)
	key.ID, key.Created, key.Used = keyID(hash), k.Now().UTC(), time.Time{}
	record, err := key.record(hash, 0)
	if err != nil {
		return Key{}, "", err
	}
	changes := []queue.Record{record}
	if with != nil {
		more, err := with(&key, text)
		if err != nil {
			return Key{}, "", err
		}
		changes = append(changes, more...)
	}
	_, err = k.Store.Change(ctx, changes...)
	return key, text, err
}

func (k *Keys) check(ctx context.Context, key *Key) error {
	if len(key.Tenant) > queue.MaxRecordOwner {
		return wrong("", "use a shorter name of the tenant", "the tenant has %d bytes, and %d are possible", len(key.Tenant), queue.MaxRecordOwner)
	}
	if err := checkText("/name", key.Name, maxLabel); err != nil {
		return err
	}
	if !key.Expires.IsZero() && !key.Expires.After(k.Now()) {
		return wrong("/expires", "use a time to come", "it is over already")
	}
	kept, _, err := k.Store.RecordsOf(ctx, KindKey, key.Tenant, queue.Page{Limit: MaxKeys})
	if err != nil {
		return err
	}
	if len(kept) >= MaxKeys {
		return wrong("", "delete one that is not used any more", "there are %d keys, as many as are possible", len(kept))
	}
	return nil
}

// Find returns the key of a text, or [queue.ErrNotFound]. It notes that the key was
// used, once an hour.
func (k *Keys) Find(ctx context.Context, text string) (Key, error) {
	hash := hashOf(text)
	record, err := k.Store.Record(ctx, KindKey, keyID(hash))
	if err != nil {
		return Key{}, err
	}
	key, kept, err := keyOf(record)
	if err != nil {
		return Key{}, err
	}
	if subtle.ConstantTimeCompare([]byte(kept.Hash), []byte(hash)) == 0 {
		return Key{}, queue.ErrNotFound
	}
	if now := k.Now(); now.Sub(key.Used) >= usedEvery {
		used := key
		used.Used = now.UTC()
		if record, err := used.record(hash, record.Version); err == nil {
			// A key that was deleted meanwhile does not come back: the version is
			// another. Whether it could be noted does not matter to its user.
			_, _ = k.Store.Change(ctx, record)
		}
	}
	return key, nil
}

// Of lists a tenant's keys, by id.
func (k *Keys) Of(ctx context.Context, tenant string, page queue.Page) ([]Key, queue.Cursor, error) {
	records, next, err := k.Store.RecordsOf(ctx, KindKey, tenant, page)
	if err != nil {
		return nil, "", err
	}
	keys := make([]Key, len(records))
	for i := range records {
		if keys[i], _, err = keyOf(records[i]); err != nil {
			return nil, "", err
		}
	}
	return keys, next, nil
}

// Get returns the key of an id, whoever's it is, or [queue.ErrNotFound].
func (k *Keys) Get(ctx context.Context, id string) (Key, error) {
	record, err := k.Store.Record(ctx, KindKey, id)
	if err != nil {
		return Key{}, err
	}
	key, _, err := keyOf(record)
	return key, err
}

// Delete ends a tenant's key at once, and writes other records in the same step. It
// fails with [queue.ErrNotFound], also for another tenant's.
func (k *Keys) Delete(ctx context.Context, tenant, id string, with ...queue.Record) error {
	for {
		record, err := k.Store.Record(ctx, KindKey, id)
		switch {
		case err != nil:
			return err
		case record.Owner != tenant:
			return queue.ErrNotFound
		}
		gone := queue.Record{Kind: KindKey, ID: id, Version: record.Version}
		if _, err = k.Store.Change(ctx, append([]queue.Record{gone}, with...)...); !errors.Is(err, queue.ErrConflict) {
			return err
		}
	}
}

func (k *Key) record(hash string, version uint64) (queue.Record, error) {
	value, err := json.Marshal(keptKey{hash, k.Name, k.By, k.Created, k.Used})
	return queue.Record{Kind: KindKey, ID: k.ID, Owner: k.Tenant, Version: version, Expires: k.Expires, Value: value}, err
}

func keyOf(record queue.Record) (Key, keptKey, error) {
	var kept keptKey
	if err := json.Unmarshal(record.Value, &kept); err != nil {
		return Key{}, kept, fmt.Errorf("reading %s: %w", record.ID, err)
	}
	return Key{record.ID, record.Owner, kept.Name, kept.By, kept.Created, record.Expires, kept.Used}, kept, nil
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func keyID(hash string) string { return "key_" + hash[:shownHash] }
