// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// KeyPrefix begins every API key, and no id of one.
const KeyPrefix = subscribers.KeyPrefix

// KeyView is an API key of a tenant.
type KeyView struct {
	ID      string    `json:"id"`
	Tenant  string    `json:"tenant"`
	Name    string    `json:"name,omitempty"`
	By      string    `json:"by,omitempty"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
	Used    time.Time `json:"used,omitzero"`
	// Key is there once, in the answer to the request that made it.
	Key string `json:"key,omitempty"`
}

func newKeyView(key subscribers.Key, text string) KeyView {
	return KeyView{key.ID, key.Tenant, key.Name, key.By, key.Created, key.Expires, key.Used, text}
}

// keysOf returns the store of API keys, and the tenant that a request names. It must
// name one: a key of no tenant's would open what all have.
func (s *Server) keysOf(r *http.Request, takes ...string) (keys *subscribers.Keys, tenant string, err error) {
	store, err := s.store()
	if err != nil {
		return nil, "", err
	}
	values, err := parseMeant(r, append([]string{"tenant"}, takes...))
	if err != nil {
		return nil, "", err
	}
	if tenant = values.Get("tenant"); tenant == "" {
		return nil, "", fmt.Errorf("%w: say whose key it is, as tenant=acme", errBadQuery)
	}
	return &subscribers.Keys{Store: store, Now: time.Now}, tenant, nil
}

// keys lists the API keys of a tenant.
func (s *Server) keys(w http.ResponseWriter, r *http.Request) error {
	keys, tenant, err := s.keysOf(r, pageParameters...)
	if err != nil {
		return err
	}
	q, err := parseQuery(r, append([]string{"tenant"}, pageParameters...), queue.DefaultLimit)
	if err != nil {
		return err
	}
	rows, next, err := keys.Of(r.Context(), tenant, q.page)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, list(rows, next, func(key subscribers.Key) any { return newKeyView(key, "") }))
}

// createKey makes an API key for a tenant, with a `name`, that ends after `for`.
func (s *Server) createKey(w http.ResponseWriter, r *http.Request) error {
	keys, tenant, err := s.keysOf(r, "name", "for")
	if err != nil {
		return err
	}
	key := subscribers.Key{Tenant: tenant, Name: r.URL.Query().Get("name"), By: subscribers.OperatorName}
	if text := r.URL.Query().Get("for"); text != "" {
		// It is how long ago that a time to come is, the other way round.
		now := time.Now()
		ago, err := parseWhen(text, now)
		if err != nil || !ago.Before(now) {
			return fmt.Errorf("%w: for is how long the key is valid, as 90d, not %q", errBadQuery, text)
		}
		key.Expires = now.Add(now.Sub(ago))
	}
	key, text, err := keys.Create(r.Context(), key, func(of *subscribers.Key, _ string) ([]queue.Record, error) {
		audited, err := audit("key.create", of.ID, tenant, r)
		return []queue.Record{audited}, err
	})
	if wrong := (*subscribers.FieldError)(nil); errors.As(err, &wrong) {
		return fmt.Errorf("%w: %w", errBadQuery, err)
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, newKeyView(key, text))
}

// deleteKey ends an API key at once. Its id says whose it is; a `tenant` that is given
// must be that one.
func (s *Server) deleteKey(w http.ResponseWriter, r *http.Request) error {
	store, err := s.store()
	if err != nil {
		return err
	}
	values, err := parseMeant(r, []string{"tenant"})
	if err != nil {
		return err
	}
	keys, id := &subscribers.Keys{Store: store, Now: time.Now}, r.PathValue("id")
	key, err := keys.Get(r.Context(), id)
	if err == nil && values.Has("tenant") && values.Get("tenant") != key.Tenant {
		err = queue.ErrNotFound
	}
	var audited queue.Record
	if err == nil {
		audited, err = audit("key.delete", id, key.Tenant, r)
	}
	if err == nil {
		err = keys.Delete(r.Context(), key.Tenant, id, audited)
	}
	if errors.Is(err, queue.ErrNotFound) {
		return refuse(http.StatusNotFound, "there is no key %q%s", id, ofTenant(values.Get("tenant")))
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// ofTenant says whose something is, "" for anybody's.
func ofTenant(tenant string) string {
	if tenant == "" {
		return ""
	}
	return fmt.Sprintf(" of %q", tenant)
}

// audit returns the record of what an operator does to what a tenant has.
func audit(action, object, tenant string, r *http.Request) (queue.Record, error) {
	audited := subscribers.Audited{At: time.Now().UTC(), Who: subscribers.OperatorName, By: subscribers.OperatorOf(r.Context()), Action: action, Object: object, From: r.RemoteAddr}
	return audited.Record(tenant, subscribers.DefaultAuditFor)
}
