// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// ByKey knows callers by the API keys that we have made: Authorization: Bearer whk_….
func ByKey(now func() time.Time) Authorize {
	return func(r *http.Request, store queue.Store) (Caller, error) {
		scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		text = strings.TrimSpace(text)
		if !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(text, subscribers.KeyPrefix) {
			return Caller{}, ErrNobody
		}
		keys := subscribers.Keys{Store: store, Now: now}
		key, err := keys.Find(r.Context(), text)
		switch {
		case errors.Is(err, queue.ErrNotFound):
			return Caller{}, ErrRefused
		case err != nil:
			return Caller{}, err
		}
		name := key.ID
		if key.Name != "" {
			name += " (" + key.Name + ")"
		}
		return Caller{Tenant: key.Tenant, Name: name, Until: key.Expires}, nil
	}
}

// KeyView is a key as its tenant sees it.
type KeyView struct {
	ID        string    `json:"id"`
	Name      string    `json:"name,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by,omitempty"`
	Expires   time.Time `json:"expires,omitzero"`
	// UsedAt is when it was last used, within the hour.
	UsedAt time.Time `json:"used_at,omitzero"`
	// Key is there once, in the answer to the request that made it.
	Key string `json:"key,omitempty"`
}

func viewOfKey(key *subscribers.Key, text string) KeyView {
	return KeyView{key.ID, key.Name, key.Created, key.By, key.Expires, key.Used, text}
}

func (c *call) keys() *subscribers.Keys { return &subscribers.Keys{Store: c.store, Now: c.options.Now} }

func listKeys(c *call) (*answer, error) {
	values, err := parameters(c.r, "cursor", "limit")
	if err != nil {
		return nil, err
	}
	page, err := pageOf(values, maxPage)
	if err != nil {
		return nil, err
	}
	keys, next, err := c.keys().Of(c.r.Context(), c.caller.Tenant, page)
	if err != nil {
		return nil, err
	}
	answer := List[KeyView]{Data: make([]KeyView, len(keys)), Next: string(next)}
	for i := range keys {
		answer.Data[i] = viewOfKey(&keys[i], "")
	}
	return ok(answer)
}

func showKey(c *call) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	key, err := c.keys().Get(c.r.Context(), c.values["id"])
	if err == nil && key.Tenant != c.caller.Tenant {
		err = queue.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return ok(viewOfKey(&key, ""))
}

// createKey makes a key: {"name": "ci", "expires": "2027-01-01T00:00:00Z"}.
func createKey(c *call) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	sent, err := body(c.w, c.r, false, typeJSON)
	if err != nil {
		return nil, err
	}
	key := subscribers.Key{Tenant: c.caller.Tenant, By: c.caller.Name}
	var f form
	expires := ""
	f.members("", sent.members, map[string]taker{"name": f.text(&key.Name), "expires": f.text(&expires)})
	if err := f.err(); err != nil {
		return nil, err
	}
	if key.Expires, err = c.expiry(expires); err != nil {
		return nil, err
	}
	made := func(of *subscribers.Key, text string) *answer {
		return (&answer{status: http.StatusCreated, body: viewOfKey(of, text)}).set("Location", c.link("/keys/"+of.ID))
	}
	key, text, err := c.keys().Create(c.r.Context(), key, func(of *subscribers.Key, text string) ([]queue.Record, error) {
		audited, err := c.audit("key.create", of.ID, []string{"expires", "name"})
		if err != nil || c.pending == nil {
			return []queue.Record{audited}, err
		}
		kept, err := c.pending.done(made(of, text))
		return []queue.Record{audited, kept}, err
	})
	if err != nil {
		return nil, err
	}
	return made(&key, text), nil
}

// expiry reads when a key ends. A key makes none that outlives it: who has found one
// that ends soon must not stay.
func (c *call) expiry(text string) (time.Time, error) {
	until := c.caller.Until
	if text == "" {
		return until, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	switch {
	case err != nil:
		return at, invalid.in(FieldProblem{"/expires", "it is no time", "write it as 2027-01-31T12:00:00Z, or leave it out for a key that does not end"})
	case !until.IsZero() && at.After(until):
		return at, invalid.in(FieldProblem{"/expires", "the key that asks for it ends before that", "use a time until " + until.Format(time.RFC3339)})
	}
	return at.UTC(), nil
}

func deleteKey(c *call) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	audited, err := c.audit("key.delete", c.values["id"], nil)
	if err != nil {
		return nil, err
	}
	if err := c.keys().Delete(c.r.Context(), c.caller.Tenant, c.values["id"], audited); err != nil {
		return nil, err
	}
	return &answer{status: http.StatusNoContent}, nil
}
