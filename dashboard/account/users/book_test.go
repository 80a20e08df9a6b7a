// SPDX-License-Identifier: Apache-2.0

package users

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/factor"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/seal"
)

var epoch = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func newBook(t *testing.T) (*Book, *time.Time) {
	t.Helper()
	ring, err := seal.NewKeyring(seal.NewKey())
	must(t, err)
	now := epoch
	clock := func() time.Time { return now }
	return &Book{Store: memory.New(clock), Sealer: ring, Now: clock}, &now
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, b *Book, name, tenant string) (User, string) {
	t.Helper()
	u, code, err := b.Add(t.Context(), name, tenant, LinkFor, nil)
	must(t, err)
	return u, code
}

func TestAdd(t *testing.T) {
	b, _ := newBook(t)
	u, code := add(t, b, "Mara.Kessler", "acme")
	if u.Name != "mara.kessler" || !strings.HasPrefix(u.ID, idPrefix) || u.Operator() || len(code) < 40 {
		t.Errorf("made %+v, %q", u, code)
	}
	if _, _, err := b.Add(t.Context(), "MARA.kessler", "umbrella", LinkFor, nil); !errors.Is(err, ErrExists) {
		t.Errorf("the same name: %v", err)
	}
	if again, err := b.ByName(t.Context(), "mara.KESSLER"); err != nil || again.ID != u.ID || again.Tenant != "acme" {
		t.Errorf("found %+v, %v", again, err)
	}
	for _, name := range []string{"", "a b", "usr_1", strings.Repeat("x", 65), "a\x00", "a\u202eb"} {
		if _, _, err := b.Add(t.Context(), name, "acme", LinkFor, nil); !errors.Is(err, ErrBadName) {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := b.ByName(t.Context(), name); !errors.Is(err, queue.ErrNotFound) {
			t.Errorf("found %q: %v", name, err)
		}
	}
	if _, _, err := b.Add(t.Context(), "x", strings.Repeat("x", queue.MaxRecordOwner+1), LinkFor, nil); !errors.Is(err, ErrBadName) {
		t.Errorf("a tenant that is too long: %v", err)
	}
}

// Nothing that opens an account can be read in the store, and a user's record opens
// nothing in another's place.
func TestAtRest(t *testing.T) {
	b, _ := newBook(t)
	u, code := add(t, b, "mara", "acme")
	other, _ := add(t, b, "tom", "umbrella")
	app, err := factor.NewApp()
	must(t, err)
	_, hashes := factor.NewRecoveryCodes(u.ID)
	_, err = b.Change(t.Context(), u.ID, func(u *User) error {
		u.Password, u.App, u.Recovery = "$argon2id$hash", &app, hashes
		return nil
	}, nil)
	must(t, err)
	for _, kind := range []string{KindUser, kindName} {
		records, _, err := b.Store.Records(t.Context(), kind, queue.Page{})
		must(t, err)
		for _, record := range records {
			for _, secret := range []string{code, app.Secret, "argon2id", hashes[0], codeHash(code)} {
				if bytes.Contains(record.Value, []byte(secret)) {
					t.Errorf("%s holds %s", record.ID, secret)
				}
			}
		}
	}
	moved, err := b.Store.Record(t.Context(), KindUser, u.ID)
	must(t, err)
	for _, to := range []queue.Record{{ID: other.ID, Owner: "acme"}, {ID: u.ID, Owner: ""}, {ID: u.ID, Owner: "umbrella"}} {
		moved.ID, moved.Owner = to.ID, to.Owner
		if got, err := userOf(moved, b.Sealer); err != nil || !got.Unreadable || got.Password != "" {
			t.Errorf("as %s of %q: %+v, %v", to.ID, to.Owner, got, err)
		}
	}
}

func TestLink(t *testing.T) {
	b, now := newBook(t)
	u, code := add(t, b, "mara", "acme")
	other, otherCode := add(t, b, "tom", "acme")
	for _, wrong := range []string{"", "x", "-", code + "x", code[:len(code)-1], strings.Split(code, "-")[0] + "-" + strings.Split(otherCode, "-")[1], strings.Repeat("x", 200)} {
		if _, err := b.UseLink(t.Context(), wrong, "hash", nil); !errors.Is(err, ErrBadLink) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	*now = epoch.Add(LinkFor - time.Second)
	got, err := b.UseLink(t.Context(), code, "hash", nil)
	if err != nil || got.ID != u.ID || got.Password != "hash" || got.Generation != u.Generation+1 {
		t.Errorf("used %+v, %v", got, err)
	}
	if _, err := b.UseLink(t.Context(), code, "another", nil); !errors.Is(err, ErrBadLink) {
		t.Errorf("used twice: %v", err)
	}
	*now = epoch.Add(LinkFor)
	if _, err := b.UseLink(t.Context(), otherCode, "hash", nil); !errors.Is(err, ErrBadLink) {
		t.Errorf("used when it has ended: %v", err)
	}
	// A reset makes a link that works, and ends the one before.
	_, newCode, err := b.Reset(t.Context(), other.ID, LinkFor, nil)
	must(t, err)
	if _, err := b.ByLink(t.Context(), newCode); err != nil {
		t.Errorf("after a reset: %v", err)
	}
	_, newest, err := b.Reset(t.Context(), other.ID, LinkFor, nil)
	must(t, err)
	if _, err := b.ByLink(t.Context(), newCode); !errors.Is(err, ErrBadLink) {
		t.Errorf("after another reset: %v", err)
	}
	must(t, b.Remove(t.Context(), other.ID, nil))
	if _, err := b.ByLink(t.Context(), newest); !errors.Is(err, ErrBadLink) {
		t.Errorf("of one who is gone: %v", err)
	}
}

// meanwhile is a store in which something happens before the first change.
type meanwhile struct {
	Store
	happens func()
}

func (m *meanwhile) Change(ctx context.Context, changes ...queue.Record) (uint64, error) {
	if happens := m.happens; happens != nil {
		m.happens = nil
		happens()
	}
	return m.Store.Change(ctx, changes...)
}

// A link that another has used since it was looked at does not work any more.
func TestLinkUsedMeanwhile(t *testing.T) {
	b, _ := newBook(t)
	u, code := add(t, b, "mara", "acme")
	b.Store = &meanwhile{b.Store, func() {
		_, err := b.UseLink(t.Context(), code, "first", nil)
		must(t, err)
	}}
	if _, err := b.UseLink(t.Context(), code, "second", nil); !errors.Is(err, ErrBadLink) {
		t.Errorf("the second: %v", err)
	}
	if kept, err := b.Get(t.Context(), u.ID); err != nil || kept.Password != "first" {
		t.Errorf("kept %q, %v", kept.Password, err)
	}
}

// Of many who use a link at once, one sets the password.
func TestLinkAtOnce(t *testing.T) {
	b, _ := newBook(t)
	_, code := add(t, b, "mara", "acme")
	var set sync.Map
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			if _, err := b.UseLink(t.Context(), code, string(rune('a'+i)), nil); err == nil {
				set.Store(i, true)
			} else if !errors.Is(err, ErrBadLink) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	n := 0
	set.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d have set it", n)
	}
}

func TestReset(t *testing.T) {
	b, _ := newBook(t)
	u, _ := add(t, b, "mara", "acme")
	app, err := factor.NewApp()
	must(t, err)
	was, err := b.Change(t.Context(), u.ID, func(u *User) error {
		u.Password, u.App, u.Recovery, u.Misses = "hash", &app, []string{"x"}, MaxMisses
		u.Passkeys = []Passkey{{ID: []byte("1"), Credential: []byte("{}")}}
		return nil
	}, nil)
	must(t, err)
	if !was.Enrolled() || !was.Locked() || was.Passkey([]byte("1")) == nil || was.Passkey([]byte("2")) != nil {
		t.Errorf("was %+v", was)
	}
	got, _, err := b.Reset(t.Context(), u.ID, time.Hour, nil)
	if err != nil || got.Password != "" || got.Enrolled() || len(got.Recovery) != 0 || got.Locked() || got.Generation <= was.Generation || got.Link.Ends != epoch.Add(time.Hour) {
		t.Errorf("got %+v, %v", got, err)
	}
	if kept, err := b.Get(t.Context(), u.ID); err != nil || kept.Password != "" || kept.Enrolled() || kept.Name != "mara" || kept.Tenant != "acme" {
		t.Errorf("kept %+v, %v", kept, err)
	}
}

// Of a user whose key is lost, the name is known still: to be reset, or removed.
func TestLostKey(t *testing.T) {
	b, _ := newBook(t)
	u, _ := add(t, b, "mara", "acme")
	tom, _ := add(t, b, "tom", "acme")
	ring, err := seal.NewKeyring(seal.NewKey())
	must(t, err)
	b.Sealer = ring
	all, _, err := b.List(t.Context(), nil, queue.Page{})
	if err != nil || len(all) != 2 || !all[0].Unreadable || !all[1].Unreadable {
		t.Errorf("listed %+v, %v", all, err)
	}
	if _, err := b.Change(t.Context(), u.ID, func(*User) error { return nil }, nil); !errors.Is(err, ErrUnreadable) {
		t.Errorf("changed: %v", err)
	}
	got, code, err := b.Reset(t.Context(), u.ID, LinkFor, nil)
	if err != nil || got.Name != "mara" || got.Generation <= u.Generation {
		t.Errorf("reset %+v, %v", got, err)
	}
	if _, err := b.UseLink(t.Context(), code, "hash", nil); err != nil {
		t.Errorf("used: %v", err)
	}
	must(t, b.Remove(t.Context(), tom.ID, nil))
	if _, err := b.ByName(t.Context(), "tom"); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("found %v", err)
	}
	add(t, b, "tom", "umbrella")
}

func TestList(t *testing.T) {
	b, _ := newBook(t)
	mara, _ := add(t, b, "mara", "acme")
	operator, _ := add(t, b, "root", "")
	add(t, b, "tom", "umbrella")
	acme, none := "acme", ""
	for _, test := range []struct {
		tenant *string
		want   []string
	}{{&acme, []string{mara.ID}}, {&none, []string{operator.ID}}} {
		got, _, err := b.List(t.Context(), test.tenant, queue.Page{})
		if err != nil || len(got) != 1 || got[0].ID != test.want[0] {
			t.Errorf("listed %+v, %v", got, err)
		}
	}
	if got, _, err := b.List(t.Context(), nil, queue.Page{}); err != nil || len(got) != 3 {
		t.Errorf("listed %+v, %v", got, err)
	}
}

// counting counts how often it is read.
type counting struct {
	Store
	reads int
}

func (c *counting) Record(ctx context.Context, kind, id string) (queue.Record, error) {
	c.reads++
	return c.Store.Record(ctx, kind, id)
}

// Who is not known is looked for as often as who is.
func TestLookingForNobody(t *testing.T) {
	b, _ := newBook(t)
	add(t, b, "mara", "acme")
	store := &counting{Store: b.Store}
	b.Store = store
	for _, name := range []string{"mara", "nobody", "no body", ""} {
		store.reads = 0
		if _, err := b.ByName(t.Context(), name); (err == nil) != (name == "mara") || store.reads != 2 {
			t.Errorf("%q: %d reads, %v", name, store.reads, err)
		}
	}
}

// What is written with a user is written in the same step or not at all.
func TestWith(t *testing.T) {
	b, _ := newBook(t)
	note := func(version uint64) With {
		return func(u *User) ([]queue.Record, error) {
			return []queue.Record{{Kind: "note", ID: "1", Owner: u.Tenant, Version: version, Value: []byte("x")}}, nil
		}
	}
	u, _, err := b.Add(t.Context(), "mara", "acme", LinkFor, note(0))
	must(t, err)
	_, err = b.Change(t.Context(), u.ID, func(u *User) error { u.Misses++; return nil }, note(0))
	if !errors.Is(err, queue.ErrConflict) {
		t.Errorf("changed: %v", err)
	}
	if kept, err := b.Get(t.Context(), u.ID); err != nil || kept.Misses != 0 {
		t.Errorf("kept %+v, %v", kept, err)
	}
}
