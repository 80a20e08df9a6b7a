// SPDX-License-Identifier: Apache-2.0

package subscribers

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/seal"
)

// What a directory has after any changes is what one has that reads everything anew:
// whatever has failed on the way, and whether or not the queue knows what has changed.
func TestDirectoryIsAsStored(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ctx := t.Context()
		store := &ailing{Store: memory.New(time.Now)}
		defer store.Close()
		ring, err := seal.NewKeyring(seal.NewKey())
		must(t, err)
		foreign, err := seal.NewKeyring(seal.NewKey())
		must(t, err)
		book := &Book{Store: store.Store.(Store), Sealer: ring, Now: time.Now}
		// Keys come, and none goes: what was opened stays so.
		var sealer Sealer
		declared, err := endpoint.NewSet()
		must(t, err)
		begin := func() *Directory {
			d := NewDirectory(store, func() Sealer { return sealer }, zap.NewNop())
			d.Apply(declared, endpoint.Endpoint{}, Offer{})
			return d
		}
		d := begin()
		var made []Endpoint
		one := func(t *rapid.T) *Endpoint {
			if len(made) == 0 {
				t.Skip("there is none")
			}
			return &made[rapid.IntRange(0, len(made)-1).Draw(t, "which")]
		}
		rt.Repeat(map[string]func(*rapid.T){
			"create": func(t *rapid.T) {
				e := deliverable(rapid.SampledFrom([]string{"acme", "umbrella", ""}).Draw(t, "tenant"), rapid.SampledFrom([]string{"a", "b.*"}).Draw(t, "events"))
				if rapid.IntRange(0, 3).Draw(t, "silent") == 0 {
					e.URL, e.Secrets = "", nil
				}
				book.Sealer = rapid.SampledFrom([]Sealer{ring, ring, foreign}).Draw(t, "sealer")
				if e, err = book.Create(ctx, e); err == nil {
					made = append(made, e)
				}
				book.Sealer = ring
			},
			"change": func(t *rapid.T) {
				e := one(t)
				_, _ = book.Change(ctx, e.Tenant, e.ID, queue.AnyVersion, func(e *Endpoint) error {
					e.Status = rapid.SampledFrom([]Status{Active, Paused}).Draw(t, "status")
					return nil
				})
			},
			"delete": func(t *rapid.T) {
				e := one(t)
				_ = book.Delete(ctx, e.Tenant, e.ID, queue.AnyVersion)
			},
			"give": func(t *rapid.T) { // nobody does that, and a queue allows it
				e := *one(t)
				e.Tenant = rapid.SampledFrom([]string{"acme", "umbrella"}).Draw(t, "tenant")
				kept, err := record(&e, ring)
				mustHold(t, err)
				kept.Version = queue.AnyVersion
				_, err = store.Change(ctx, kept)
				mustHold(t, err)
			},
			"seal": func(*rapid.T) {
				if sealer == nil {
					sealer = ring
				} else {
					sealer = either{ring, foreign}
				}
			},
			"forget": func(t *rapid.T) { store.forgetful = rapid.Bool().Draw(t, "forgetful") },
			"fail": func(t *rapid.T) {
				store.left = rapid.IntRange(1, 4).Draw(t, "left")
				epoch, before := d.Epoch(), endpointsOf(d.Set())
				if err := d.Refresh(ctx); err != nil && (d.Epoch() != epoch || endpointsOf(d.Set()) != before) {
					t.Fatal("a refresh that failed has changed something")
				}
				store.left = 0
			},
			"": func(t *rapid.T) {
				if rapid.Bool().Draw(t, "late") {
					return
				}
				mustHold(t, d.Refresh(ctx))
				forgetful := store.forgetful
				store.forgetful = true
				fresh := begin()
				mustHold(t, fresh.Refresh(ctx))
				store.forgetful = forgetful
				if got, want := endpointsOf(d.Set()), endpointsOf(fresh.Set()); got != want || d.Unread() != fresh.Unread() || d.Epoch() != fresh.Epoch() {
					t.Fatalf("the directory has %s, %d cannot be read; stored are %s, and %d", got, d.Unread(), want, fresh.Unread())
				}
			},
		})
	})
}

func mustHold(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// endpointsOf describes a set, and where it sends events.
func endpointsOf(set *endpoint.Set) string {
	var all []string
	for e := range set.All() {
		all = append(all, fmt.Sprint(e.Name, e.Tenant, e.Events.Patterns(), e.Paused))
	}
	for _, tenant := range []string{"acme", "umbrella", ""} {
		all = append(all, fmt.Sprint(tenant, matchedIn(set, "a", tenant), matchedIn(set, "b.c", tenant)))
	}
	return fmt.Sprint(set.Len(), all)
}

// One change costs reading one endpoint, however many there are.
func TestDirectoryReadsWhatHasChanged(t *testing.T) {
	store := &ailing{Store: memory.New(time.Now)}
	b := newBook(t, store)
	d := newDirectory(t, b)
	var made []Endpoint
	for i := range 300 {
		e, err := b.Create(t.Context(), deliverable(fmt.Sprint("tenant", i%100), "a"))
		must(t, err)
		made = append(made, e)
	}
	must(t, d.Refresh(t.Context()))
	_, err := b.Change(t.Context(), made[7].Tenant, made[7].ID, queue.AnyVersion, func(e *Endpoint) error {
		e.Events = []string{"b"}
		return nil
	})
	must(t, err)
	must(t, b.Delete(t.Context(), made[8].Tenant, made[8].ID, queue.AnyVersion))
	store.read = 0
	must(t, d.Refresh(t.Context()))
	if store.read != 2 {
		t.Errorf("%d records were read for two changes", store.read)
	}
	if to := matched(d, "b", made[7].Tenant); !slices.Equal(to, []string{made[7].ID, "erp"}) || len(matched(d, "a", made[8].Tenant)) != 3 {
		t.Errorf("routed to %v, and %v", to, matched(d, "a", made[8].Tenant))
	}
}

// A record that is damaged holds up no other.
func TestDirectoryPassesOverDamage(t *testing.T) {
	store := &ailing{Store: memory.New(time.Now)}
	b := newBook(t, store)
	d := newDirectory(t, b)
	broken, err := b.Create(t.Context(), deliverable("acme"))
	must(t, err)
	must(t, d.Refresh(t.Context()))
	_, err = b.Change(t.Context(), "acme", broken.ID, queue.AnyVersion, func(*Endpoint) error { return nil })
	must(t, err)
	store.damaged = broken.ID
	whole, err := b.Create(t.Context(), deliverable("umbrella"))
	must(t, err)
	must(t, d.Refresh(t.Context()))
	if to, lost := matched(d, "a", "umbrella"), matched(d, "a", "acme"); !slices.Equal(to, slices.Sorted(slices.Values([]string{whole.ID, "erp"}))) || !slices.Equal(lost, []string{"erp"}) {
		t.Errorf("routed to %v and %v", to, lost)
	}
}
