// SPDX-License-Identifier: Apache-2.0

package subscribers

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/seal"
)

const aSecret = "whsec_" + "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"

// deliverable is an endpoint that deliveries can be made to.
func deliverable(tenant string, events ...string) Endpoint {
	return Endpoint{Tenant: tenant, URL: "https://example.com/hooks", Events: events, Secrets: []Secret{{Text: aSecret}}}
}

func newDirectory(t *testing.T, b *Book) *Directory {
	t.Helper()
	d := NewDirectory(b.Store.(queue.Store), func() Sealer { return b.Sealer }, zap.NewNop())
	declared, err := endpoint.NewSet(endpoint.Endpoint{Name: "erp", URL: "https://erp.example", Signatures: []sign.Scheme{}})
	must(t, err)
	d.Apply(declared, endpoint.Endpoint{Timeout: 7 * time.Second}, Offer{})
	return d
}

func matched(d *Directory, eventType, tenant string) []string {
	return matchedIn(d.Set(), eventType, tenant)
}

func matchedIn(set *endpoint.Set, eventType, tenant string) []string {
	return slices.Sorted(slices.Values(set.Match(&event.Event{Type: eventType, Tenant: tenant})))
}

func TestDirectory(t *testing.T) {
	b := newBook(t, memory.New(time.Now))
	ctx := t.Context()
	d := newDirectory(t, b)
	refresh := func() {
		t.Helper()
		must(t, d.Refresh(ctx))
		epoch, err := b.Store.(queue.Store).Epoch(ctx, queue.KindEndpoint)
		must(t, err)
		if d.Epoch() != epoch {
			t.Errorf("the epoch is %d, want %d", d.Epoch(), epoch)
		}
	}
	want := func(eventType, tenant string, names ...string) {
		t.Helper()
		if got := matched(d, eventType, tenant); !slices.Equal(got, slices.Sorted(slices.Values(names))) {
			t.Errorf("%s of %q goes to %v, want %v", eventType, tenant, got, names)
		}
	}
	refresh()
	want("items.created", "acme", "erp")
	made, err := b.Create(ctx, deliverable("acme", "items.*"))
	must(t, err)
	other, err := b.Create(ctx, deliverable("umbrella"))
	must(t, err)
	want("items.created", "acme", "erp") // an old copy
	refresh()
	want("items.created", "acme", "erp", made.ID)
	want("users.created", "acme", "erp")
	want("items.created", "umbrella", "erp", other.ID)
	want("items.created", "", "erp")
	if e, _ := d.Set().Get(made.ID); e.Timeout != 7*time.Second || e.Paused {
		t.Errorf("it is %+v", e)
	}

	_, err = b.Change(ctx, "acme", made.ID, queue.AnyVersion, func(e *Endpoint) error {
		e.Events, e.Status = []string{"users.*"}, Paused
		return nil
	})
	must(t, err)
	// What only reads its feed is routed nowhere.
	silent, err := b.Create(ctx, Endpoint{Tenant: "acme"})
	must(t, err)
	refresh()
	want("items.created", "acme", "erp")
	want("users.created", "acme", "erp", made.ID)
	if e, _ := d.Set().Get(made.ID); !e.Paused {
		t.Error("it is not paused")
	}
	if _, routed := d.Set().Get(silent.ID); routed {
		t.Error("an endpoint without a URL gets deliveries")
	}

	// Another configuration: other declared endpoints, another template.
	none, err := endpoint.NewSet()
	must(t, err)
	d.Apply(none, endpoint.Endpoint{Timeout: 9 * time.Second}, Offer{})
	want("users.created", "acme", made.ID)
	if e, _ := d.Set().Get(other.ID); e.Timeout != 9*time.Second {
		t.Errorf("the timeout is %s", e.Timeout)
	}
	must(t, b.Delete(ctx, "acme", made.ID, queue.AnyVersion))
	refresh()
	want("users.created", "acme")
	want("users.created", "umbrella", other.ID)
}

// An endpoint that cannot be read, or not be delivered to, holds up no other; it is
// routed to as soon as it can be.
func TestDirectoryUnreadable(t *testing.T) {
	b := newBook(t, memory.New(time.Now))
	ctx := t.Context()
	ring := b.Sealer
	foreign, err := seal.NewKeyring(seal.NewKey())
	must(t, err)
	b.Sealer = foreign
	closed, err := b.Create(ctx, deliverable(""))
	must(t, err)
	b.Sealer = ring
	open, err := b.Create(ctx, deliverable("acme"))
	must(t, err)
	wrong := deliverable("acme")
	wrong.Secrets[0].Text = "not a secret"
	_, err = b.Create(ctx, wrong)
	must(t, err)

	d := newDirectory(t, b)
	must(t, d.Refresh(ctx))
	must(t, d.Refresh(ctx))
	if got := matched(d, "a", "acme"); !slices.Equal(got, []string{open.ID, "erp"}) || d.Unread() != 1 {
		t.Errorf("routed to %v, %d cannot be read", got, d.Unread())
	}
	d.sealer = func() Sealer { return nil }
	d.copied = newCopied()
	d.epoch.Store(0)
	must(t, d.Refresh(ctx))
	if d.Unread() != 3 {
		t.Errorf("without any key, %d cannot be read", d.Unread())
	}
	d.sealer = func() Sealer { return either{ring, foreign} }
	must(t, d.Refresh(ctx))
	if got := matched(d, "a", "acme"); !slices.Equal(got, slices.Sorted(slices.Values([]string{closed.ID, open.ID, "erp"}))) || d.Unread() != 0 {
		t.Errorf("routed to %v, %d cannot be read", got, d.Unread())
	}
}

type either [2]Sealer

func (e either) Seal(plain, associated []byte) []byte { return e[0].Seal(plain, associated) }
func (e either) Open(sealed, associated []byte) ([]byte, bool, error) {
	plain, stale, err := e[0].Open(sealed, associated)
	if err != nil {
		return e[1].Open(sealed, associated)
	}
	return plain, stale, nil
}

// Who follows is told of a change although whoever routes events has read it first:
// otherwise, nobody would deliver to a new endpoint.
func TestDirectoryFollowsWhatOthersRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook(t, memory.New(time.Now))
		d := newDirectory(t, b)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := b.Create(ctx, deliverable("acme"))
		must(t, err)
		must(t, d.Refresh(ctx))
		told, ended := 0, make(chan struct{})
		go func() {
			defer close(ended)
			d.Follow(ctx, func() { told++ })
		}()
		synctest.Wait()
		if told != 1 {
			t.Errorf("told %d times", told)
		}
		cancel()
		<-ended
	})
}

// Who follows is told again of what others have read while it was told.
func TestDirectoryFollowsWhatOthersReadMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook(t, memory.New(time.Now))
		d := newDirectory(t, b)
		ctx, cancel := context.WithCancel(t.Context())
		create := func() {
			_, err := b.Create(ctx, deliverable("acme"))
			must(t, err)
			must(t, d.Refresh(ctx))
		}
		create()
		told, ended := 0, make(chan struct{})
		go func() {
			defer close(ended)
			d.Follow(ctx, func() {
				if told++; told == 1 {
					create()
				}
			})
		}()
		synctest.Wait()
		if told != 2 {
			t.Errorf("told %d times", told)
		}
		cancel()
		<-ended
	})
}

// ailing is a queue whose records cannot be read now and then, and that does not always
// know what has changed. It counts the records that are read.
type ailing struct {
	queue.Store
	failing   atomic.Bool
	forgetful bool
	// left is how many may be read until it fails, if it is not 0.
	left, read int
	// damaged is the id of a record that cannot be read, and stands in no list.
	damaged string
}

func (a *ailing) fail() error {
	if a.left > 0 {
		if a.left--; a.left == 0 {
			return errors.New("input/output error")
		}
	}
	if a.failing.Load() {
		return errors.New("input/output error")
	}
	return nil
}

func (a *ailing) Records(ctx context.Context, kind string, page queue.Page) ([]queue.Record, queue.Cursor, error) {
	if err := a.fail(); err != nil {
		return nil, "", err
	}
	if a.left > 0 {
		page.Limit = 1
	}
	all, next, err := a.Store.Records(ctx, kind, page)
	a.read += len(all)
	return slices.DeleteFunc(all, func(r queue.Record) bool { return r.ID == a.damaged }), next, err
}

func (a *ailing) Record(ctx context.Context, kind, id string) (queue.Record, error) {
	if a.left > 0 {
		if err := a.fail(); err != nil {
			return queue.Record{}, err
		}
	}
	a.read++
	if id == a.damaged {
		return queue.Record{}, errors.New("the record is damaged")
	}
	return a.Store.Record(ctx, kind, id)
}

func (a *ailing) Changed(ctx context.Context, kind string, after uint64) ([]string, bool, error) {
	if err := a.fail(); err != nil {
		return nil, false, err
	}
	if a.forgetful {
		return nil, false, nil
	}
	return a.Store.Changed(ctx, kind, after)
}

// Whoever follows is told of each change, without asking, also after a queue that has
// failed for a while. A failed refresh leaves all as it was.
func TestDirectoryFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &ailing{Store: memory.New(time.Now)}
		b := newBook(t, store)
		d := newDirectory(t, b)
		ctx, cancel := context.WithCancel(t.Context())
		told, ended := 0, make(chan struct{})
		go func() {
			defer close(ended)
			d.Follow(ctx, func() { told++ })
		}()
		synctest.Wait()
		if told != 0 {
			t.Errorf("told %d times of nothing", told)
		}
		first, err := b.Create(ctx, deliverable("acme"))
		must(t, err)
		synctest.Wait()
		if got := matched(d, "a", "acme"); told != 1 || !slices.Contains(got, first.ID) {
			t.Errorf("told %d times; routed to %v", told, got)
		}
		store.failing.Store(true)
		must(t, b.Delete(ctx, "acme", first.ID, queue.AnyVersion))
		synctest.Wait()
		epoch := d.Epoch()
		if err := d.Refresh(ctx); err == nil || !strings.Contains(err.Error(), "input/output") || d.Epoch() != epoch || told != 1 {
			t.Errorf("refreshed: %v; epoch %d, was %d; told %d times", err, d.Epoch(), epoch, told)
		}
		if got := matched(d, "a", "acme"); !slices.Contains(got, first.ID) {
			t.Errorf("routed to %v", got)
		}
		store.failing.Store(false)
		time.Sleep(2 * retryAfter)
		synctest.Wait()
		if got := matched(d, "a", "acme"); told != 2 || slices.Contains(got, first.ID) {
			t.Errorf("told %d times; routed to %v", told, got)
		}
		cancel()
		<-ended
	})
}

// trailing is a queue whose endpoints change between two of its answers.
type trailing struct {
	queue.Store
	behind atomic.Uint64
}

func (s *trailing) Epoch(ctx context.Context, kind string) (uint64, error) {
	epoch, err := s.Store.Epoch(ctx, kind)
	return epoch - s.behind.Swap(0), err
}

// Who follows is told when the epoch comes after what it stands for was read: somebody
// may wait for that epoch.
func TestDirectoryFollowsTheEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &trailing{Store: memory.New(time.Now)}
		b := newBook(t, store)
		d := newDirectory(t, b)
		for range 3 {
			_, err := b.Create(t.Context(), deliverable("acme"))
			must(t, err)
		}
		store.behind.Store(1)
		ctx, cancel := context.WithCancel(t.Context())
		told, ended := uint64(0), make(chan struct{})
		go func() {
			defer close(ended)
			d.Follow(ctx, func() { told = d.Epoch() })
		}()
		time.Sleep(time.Second)
		synctest.Wait()
		if epoch, err := store.Epoch(ctx, queue.KindEndpoint); err != nil || told != epoch {
			t.Errorf("told of epoch %d, and it is %d: %v", told, epoch, err)
		}
		cancel()
		<-ended
	})
}
