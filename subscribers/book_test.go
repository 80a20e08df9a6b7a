// SPDX-License-Identifier: Apache-2.0

package subscribers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/seal"
)

// plain seals nothing.
type plain struct{}

func (plain) Seal(text, _ []byte) []byte                  { return text }
func (plain) Open(sealed, _ []byte) ([]byte, bool, error) { return sealed, false, nil }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newBook(t *testing.T, store queue.Store) *Book {
	t.Helper()
	t.Cleanup(func() { must(t, store.Close()) })
	keys, err := seal.NewKeyring(seal.NewKey())
	must(t, err)
	return &Book{Store: store, Sealer: keys, Now: time.Now}
}

func create(t *testing.T, b *Book, tenant string, events ...string) Endpoint {
	t.Helper()
	e, err := b.Create(t.Context(), Endpoint{Tenant: tenant, Events: events})
	must(t, err)
	return e
}

func TestBook(t *testing.T) {
	b := newBook(t, memory.New(time.Now))
	ctx := t.Context()
	given := whole("acme")
	made, err := b.Create(ctx, given)
	must(t, err)
	if !strings.HasPrefix(made.ID, "ep_") || len(made.ID) < 23 || made.Version == 0 || made.Created.IsZero() {
		t.Errorf("made %+v", made)
	}
	got, err := b.Get(ctx, "acme", made.ID)
	must(t, err)
	if !reflect.DeepEqual(got, made) {
		t.Errorf("got %+v, want %+v", got, made)
	}
	changed, err := b.Change(ctx, "acme", made.ID, made.Version, func(e *Endpoint) error {
		// What is not to be changed is not.
		e.Label, e.ID, e.Tenant, e.Version, e.Created = "CRM", "ep_other", "umbrella", 0, time.Time{}
		return nil
	})
	must(t, err)
	if changed.ID != made.ID || changed.Tenant != "acme" || changed.Version <= made.Version || changed.Label != "CRM" || !changed.Created.Equal(made.Created) {
		t.Errorf("changed to %+v", changed)
	}
	if _, err := b.Change(ctx, "acme", made.ID, made.Version, func(*Endpoint) error { return nil }); !errors.Is(err, ErrChanged) {
		t.Errorf("with an old version: %v", err)
	}
	if err := b.Delete(ctx, "acme", made.ID, made.Version); !errors.Is(err, ErrChanged) {
		t.Errorf("deleting with an old version: %v", err)
	}
	no := errors.New("no")
	if _, err := b.Change(ctx, "acme", made.ID, queue.AnyVersion, func(*Endpoint) error { return no }); !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
	var field *FieldError
	if _, err := b.Change(ctx, "acme", made.ID, queue.AnyVersion, func(e *Endpoint) error { e.URL = "x"; return nil }); !errors.As(err, &field) {
		t.Errorf("got %v", err)
	}
	if _, err := b.Create(ctx, Endpoint{Tenant: "acme", URL: "x"}); !errors.As(err, &field) {
		t.Errorf("got %v", err)
	}
	large := whole("acme")
	for i := range 30 {
		large.Headers[fmt.Sprint("X-", i)] = strings.Repeat("\"", maxPair)
		large.Metadata[fmt.Sprint(i)] = strings.Repeat("<", maxPair)
	}
	if _, err := b.Create(ctx, large); !errors.As(err, &field) || !strings.Contains(err.Error(), "fewer headers") {
		t.Errorf("a large one: %v", err)
	}

	// With the endpoint, what is known of it goes.
	kept, err := queue.EndpointState{Name: made.ID, Status: queue.EndpointPaused}.Record(0)
	must(t, err)
	_, err = b.Store.Change(ctx, kept)
	must(t, err)
	must(t, b.Delete(ctx, "acme", made.ID, changed.Version))
	for _, kind := range []string{queue.KindEndpoint, queue.KindState} {
		if _, err := b.Store.Record(ctx, kind, made.ID); !errors.Is(err, queue.ErrNotFound) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if err := b.Delete(ctx, "acme", made.ID, queue.AnyVersion); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("deleting again: %v", err)
	}
}

// Another tenant's endpoint is like one that is not there, whatever is done.
func TestTenantsAreApart(t *testing.T) {
	b := newBook(t, memory.New(time.Now))
	ctx := t.Context()
	b.Policy = Policy{Limit: 2, OnePerType: true}
	theirs := create(t, b, "acme", "items.*")
	for _, tenant := range []string{"umbrella", "", "acm", "acme2", "of acme"} {
		mine := create(t, b, tenant, "items.*")
		listed, _, err := b.Of(ctx, tenant, queue.Page{})
		if err != nil || len(listed) != 1 || listed[0].ID != mine.ID {
			t.Errorf("%q has %+v: %v", tenant, listed, err)
		}
		for _, id := range []string{theirs.ID, "ep_nobody"} {
			_, get := b.Get(ctx, tenant, id)
			_, change := b.Change(ctx, tenant, id, theirs.Version, func(*Endpoint) error { t.Error("seen"); return nil })
			remove := b.Delete(ctx, tenant, id, theirs.Version)
			for verb, err := range map[string]error{"Get": get, "Change": change, "Delete": remove} {
				if err != queue.ErrNotFound { //nolint:errorlint // not a word more may be told
					t.Errorf("%s %s as %q: %v", verb, id, tenant, err)
				}
			}
		}
	}
	if _, err := b.Get(ctx, "acme", theirs.ID); err != nil {
		t.Error(err)
	}
}

// Of many who create or enable endpoints at once, no more pass a policy than it lets.
func TestPoliciesHoldAtOnce(t *testing.T) {
	stores := map[string]func(t *testing.T) queue.Store{
		"memory": func(*testing.T) queue.Store { return memory.New(time.Now) },
		"badger": func(t *testing.T) queue.Store {
			s, err := badger.Open(badger.Options{Dir: t.TempDir()})
			must(t, err)
			return s
		},
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			for name, test := range map[string]struct {
				policy Policy
				events func(i int) []string
				want   int
			}{
				"a limit":      {Policy{Limit: 5}, func(i int) []string { return []string{fmt.Sprint("t", i)} }, 5},
				"one per type": {Policy{OnePerType: true}, func(i int) []string { return []string{[]string{"a.*", "a.b", "c"}[i%3]} }, 2},
				"both":         {Policy{Limit: 1, OnePerType: true}, func(int) []string { return nil }, 1},
			} {
				t.Run(name, func(t *testing.T) {
					b := newBook(t, open(t))
					b.Policy = test.policy
					atOnce(t, 16, func(i int) error {
						_, err := b.Create(t.Context(), Endpoint{Tenant: "acme", Events: test.events(i)})
						return err
					})
					listed, _, err := b.Of(t.Context(), "acme", queue.Page{})
					if err != nil || len(listed) != test.want {
						t.Errorf("%d have passed, want %d: %v", len(listed), test.want, err)
					}
				})
			}
			t.Run("enabling", func(t *testing.T) {
				b := newBook(t, open(t))
				var ids []string
				for range 8 {
					e, err := b.Create(t.Context(), Endpoint{Tenant: "acme", Status: Paused})
					must(t, err)
					ids = append(ids, e.ID)
				}
				b.Policy.OnePerType = true
				atOnce(t, len(ids), func(i int) error {
					_, err := b.Change(t.Context(), "acme", ids[i], queue.AnyVersion, func(e *Endpoint) error { e.Status = Active; return nil })
					return err
				})
				listed, _, err := b.Of(t.Context(), "acme", queue.Page{})
				must(t, err)
				active := 0
				for i := range listed {
					if listed[i].Status == Active {
						active++
					}
				}
				if active != 1 {
					t.Errorf("%d are enabled, want 1", active)
				}
			})
			t.Run("changing one", func(t *testing.T) {
				b := newBook(t, open(t))
				e := create(t, b, "acme")
				atOnce(t, 16, func(i int) error {
					_, err := b.Change(t.Context(), "acme", e.ID, queue.AnyVersion, func(e *Endpoint) error {
						if e.Metadata == nil {
							e.Metadata = make(map[string]string)
						}
						e.Metadata[fmt.Sprint(i)] = "x"
						return nil
					})
					return err
				})
				if got, err := b.Get(t.Context(), "acme", e.ID); err != nil || len(got.Metadata) != 16 {
					t.Errorf("%d of 16 changes are there: %v", len(got.Metadata), err)
				}
			})
		})
	}
}

// atOnce calls a function from many at the same time. It may be refused.
func atOnce(t *testing.T, many int, do func(i int) error) {
	t.Helper()
	var group sync.WaitGroup
	begin := make(chan struct{})
	for i := range many {
		group.Go(func() {
			<-begin
			var field *FieldError
			if err := do(i); err != nil && !errors.As(err, &field) {
				t.Error(err)
			}
		})
	}
	close(begin)
	group.Wait()
}

// Nothing of an endpoint can be read on the disk, and what is there opens only where
// it stands.
func TestSealed(t *testing.T) {
	dir := t.TempDir()
	s, err := badger.Open(badger.Options{Dir: dir})
	must(t, err)
	b := newBook(t, s)
	ctx := t.Context()
	made, err := b.Create(ctx, whole("acme"))
	must(t, err)
	other := create(t, b, "acme")
	kept, err := s.Record(ctx, queue.KindEndpoint, made.ID)
	must(t, err)
	for _, moved := range []queue.Record{
		{ID: other.ID, Owner: "acme"}, {ID: made.ID, Owner: "umbrella"}, {ID: made.ID[:5], Owner: made.ID[5:] + "acme"},
	} {
		moved.Value = kept.Value
		if _, _, err := opened(moved, b.Sealer); !errors.Is(err, seal.ErrDamaged) {
			t.Errorf("as %s of %s: %v", moved.ID, moved.Owner, err)
		}
	}
	// What is not sealed is found.
	const open = "an-open-word"
	_, err = s.Change(ctx, queue.Record{Kind: "note", ID: "1", Value: []byte(open)})
	must(t, err)
	must(t, s.Close())
	found := false
	files := os.DirFS(dir)
	must(t, fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if bytes.Contains(content, []byte(canary)) {
			t.Errorf("%s tells it", name)
		}
		found = found || bytes.Contains(content, []byte(open))
		return err
	}))
	if !found {
		t.Error("the search finds nothing")
	}
	if _, err := b.Get(context.Background(), "acme", made.ID); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// Endpoints that were sealed with an earlier key are read, and sealed with the
// present one when they change; without the key they can still be deleted.
func TestEarlierKey(t *testing.T) {
	b := newBook(t, memory.New(time.Now))
	ctx := t.Context()
	first, second := seal.NewKey(), seal.NewKey()
	ring := func(keys ...seal.Key) *seal.Keyring {
		keyring, err := seal.NewKeyring(keys[0], keys[1:]...)
		must(t, err)
		return keyring
	}
	b.Sealer = ring(first)
	e := create(t, b, "acme")
	b.Sealer = ring(second, first)
	_, err := b.Change(ctx, "acme", e.ID, e.Version, func(*Endpoint) error { return nil })
	must(t, err)
	b.Sealer = ring(second)
	_, err = b.Get(ctx, "acme", e.ID)
	must(t, err)
	b.Sealer = ring(first)
	if _, err := b.Get(ctx, "acme", e.ID); !errors.Is(err, seal.ErrUnknownKey) || !strings.Contains(err.Error(), e.ID) {
		t.Errorf("got %v", err)
	}
	must(t, b.Delete(ctx, "acme", e.ID, queue.AnyVersion))
}
