// SPDX-License-Identifier: Apache-2.0

package subscribers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Store is the part of the queue that keeps endpoints.
type Store interface {
	Change(ctx context.Context, changes ...queue.Record) (version uint64, err error)
	Record(ctx context.Context, kind, id string) (queue.Record, error)
	RecordsOf(ctx context.Context, kind, owner string, page queue.Page) ([]queue.Record, queue.Cursor, error)
	RecordIDsOf(ctx context.Context, kind, owner string, page queue.Page) ([]string, queue.Cursor, error)
}

// kindSlots is the kind of the records, one for each tenant, that every change of
// its endpoints writes which a [Policy] looks at. Their versions let such changes of
// one tenant come one after the other.
const kindSlots = "slots"

// ErrExists is returned for an endpoint whose place another one has.
var ErrExists = errors.New("there is such an endpoint already")

// ErrChanged is returned for a change of an endpoint that is not as it was expected.
var ErrChanged = errors.New("the endpoint was changed meanwhile")

// Book keeps the endpoints of all tenants.
type Book struct {
	Store  Store
	Sealer Sealer
	Policy Policy
	Now    func() time.Time
	// With, if not nil, returns records that are written in the same step as an
	// endpoint, or as its end: a note of who did it, for example. It may be called
	// again for one change. If one of them is not as it is expected, nothing is
	// written, with a [queue.ConflictError].
	With func(of *Endpoint) ([]queue.Record, error)
}

// Create makes an endpoint, with an id of its own. It fails with a [FieldError]
// where it must not be.
func (b *Book) Create(ctx context.Context, e Endpoint) (Endpoint, error) {
	return b.CreateUnless(ctx, e, nil)
}

// CreateUnless makes an endpoint as Create does. It fails with [ErrExists] if one of the
// tenant's has its place: of many at once that take the same place, one is made.
func (b *Book) CreateUnless(ctx context.Context, e Endpoint, taken func(other *Endpoint) bool) (Endpoint, error) {
	e.ID, e.Version, e.Created = newID(), 0, b.Now().UTC()
	if e.Status == "" {
		e.Status = Active
	}
	err := b.write(ctx, &e, func(others []Endpoint) error {
		if taken != nil && slices.ContainsFunc(others, func(other Endpoint) bool { return taken(&other) }) {
			return ErrExists
		}
		return b.Policy.Admits(others, &e, true)
	})
	return e, err
}

// Admit reports why an endpoint cannot be written, as it is now: nothing of that is
// certain before it is written.
func (b *Book) Admit(ctx context.Context, e *Endpoint, isNew bool) error {
	if err := e.Check(); err != nil {
		return err
	}
	others, err := b.others(ctx, e)
	if err != nil {
		return err
	}
	return b.Policy.Admits(others, e, isNew)
}

// Get returns a tenant's endpoint, or [queue.ErrNotFound], also for another's.
func (b *Book) Get(ctx context.Context, tenant, id string) (Endpoint, error) {
	kept, err := b.Store.Record(ctx, queue.KindEndpoint, id)
	if err == nil && kept.Owner != tenant {
		err = queue.ErrNotFound
	}
	if err != nil {
		return Endpoint{}, err
	}
	return b.opened(kept)
}

// opened returns the endpoint that a record stores, as it may be now.
func (b *Book) opened(kept queue.Record) (Endpoint, error) {
	e, _, err := opened(kept, b.Sealer)
	if err == nil {
		b.Policy.Offer.Hold(&e)
	}
	return e, err
}

// Find returns the oldest of a tenant's endpoints that match, or [queue.ErrNotFound].
func (b *Book) Find(ctx context.Context, tenant string, matches func(*Endpoint) bool) (Endpoint, error) {
	all, err := b.others(ctx, &Endpoint{Tenant: tenant})
	if err != nil {
		return Endpoint{}, err
	}
	all = slices.DeleteFunc(all, func(e Endpoint) bool { return !matches(&e) })
	if len(all) == 0 {
		return Endpoint{}, queue.ErrNotFound
	}
	return slices.MinFunc(all, func(a, b Endpoint) int { return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID)) }), nil
}

// Of lists a tenant's endpoints, by id.
func (b *Book) Of(ctx context.Context, tenant string, page queue.Page) ([]Endpoint, queue.Cursor, error) {
	kept, next, err := b.Store.RecordsOf(ctx, queue.KindEndpoint, tenant, page)
	if err != nil {
		return nil, "", err
	}
	endpoints := make([]Endpoint, len(kept))
	for i := range kept {
		if endpoints[i], err = b.opened(kept[i]); err != nil {
			return nil, "", err
		}
	}
	return endpoints, next, nil
}

// IDs returns the ids of a tenant's endpoints, in their order.
func (b *Book) IDs(ctx context.Context, tenant string) (ids []string, err error) {
	page := queue.Page{Limit: queue.MaxLimit}
	for {
		listed, next, err := b.Store.RecordIDsOf(ctx, queue.KindEndpoint, tenant, page)
		if err != nil {
			return nil, err
		}
		ids = append(ids, listed...)
		if page.Cursor = next; next == "" {
			return ids, nil
		}
	}
}

// Change changes a tenant's endpoint. With a version other than
// [queue.AnyVersion], it fails with [ErrChanged] if that is not the present one. The
// function may be called again, with the state that somebody else has left.
func (b *Book) Change(ctx context.Context, tenant, id string, version uint64, change func(*Endpoint) error) (Endpoint, error) {
	for {
		e, err := b.Get(ctx, tenant, id)
		if err != nil {
			return Endpoint{}, err
		}
		if version != queue.AnyVersion && version != e.Version {
			return Endpoint{}, ErrChanged
		}
		was, created := e.Version, e.Created
		if err := change(&e); err != nil {
			return Endpoint{}, err
		}
		e.ID, e.Tenant, e.Version, e.Created = id, tenant, was, created
		admits := func(others []Endpoint) error { return b.Policy.Admits(others, &e, false) }
		if err = b.write(ctx, &e, admits); !errors.Is(err, ErrChanged) {
			return e, err
		}
	}
}

// Delete deletes a tenant's endpoint, with its state and its run. The version is as in Change.
func (b *Book) Delete(ctx context.Context, tenant, id string, version uint64) error {
	for {
		kept, err := b.Store.Record(ctx, queue.KindEndpoint, id)
		switch {
		case err != nil:
			return err
		case kept.Owner != tenant:
			return queue.ErrNotFound
		case version != queue.AnyVersion && version != kept.Version:
			return ErrChanged
		}
		with, err := b.with(&Endpoint{ID: id, Tenant: tenant, Version: kept.Version})
		if err != nil {
			return err
		}
		_, err = b.Store.Change(ctx, append(with,
			queue.Record{Kind: queue.KindEndpoint, ID: id, Version: kept.Version},
			queue.Record{Kind: queue.KindState, ID: id, Version: queue.AnyVersion},
			queue.Record{Kind: KindRun, ID: id, Version: queue.AnyVersion},
			slotsOf(tenant, queue.AnyVersion))...)
		if conflict := (*queue.ConflictError)(nil); !errors.As(err, &conflict) || conflict.Kind != queue.KindEndpoint {
			return err
		}
	}
}

// slotsOf returns the record of a tenant's slots.
func slotsOf(tenant string, version uint64) queue.Record {
	return queue.Record{Kind: kindSlots, ID: "of " + tenant, Owner: tenant, Version: version, Value: []byte{}}
}

// readSlots returns the record of a tenant's slots in the version that it has, 0 if there is
// none.
func readSlots(ctx context.Context, store Store, tenant string) (queue.Record, error) {
	slots := slotsOf(tenant, 0)
	kept, err := store.Record(ctx, kindSlots, slots.ID)
	if errors.Is(err, queue.ErrNotFound) {
		return slots, nil
	}
	slots.Version = kept.Version
	return slots, err
}

// write writes an endpoint, if it is admitted beside the tenant's others. The slots are
// read before the others, and written with the endpoint: so what was read is still so,
// or the change is refused, and done again.
func (b *Book) write(ctx context.Context, e *Endpoint, admits func(others []Endpoint) error) error {
	if err := e.Check(); err != nil {
		return err
	}
	for {
		slots, err := readSlots(ctx, b.Store, e.Tenant)
		if err != nil {
			return err
		}
		others, err := b.others(ctx, e)
		if err != nil {
			return err
		}
		if err := admits(others); err != nil {
			return err
		}
		kept, err := record(e, b.Sealer)
		if err != nil {
			return err
		}
		with, err := b.with(e)
		if err != nil {
			return err
		}
		version, err := b.Store.Change(ctx, append(with, kept, slots)...)
		var conflict *queue.ConflictError
		switch {
		case err == nil:
			e.Version = version
			return nil
		case !errors.As(err, &conflict):
			return fmt.Errorf("storing endpoint %s: %w", e.ID, err)
		case conflict.Kind == queue.KindEndpoint:
			return ErrChanged
		case conflict.Kind != kindSlots:
			return err
		}
	}
}

// with returns the records that are written with an endpoint.
func (b *Book) with(e *Endpoint) ([]queue.Record, error) {
	if b.With == nil {
		return nil, nil
	}
	return b.With(e)
}

// others returns all endpoints of a tenant but one.
func (b *Book) others(ctx context.Context, e *Endpoint) (others []Endpoint, err error) {
	page := queue.Page{Limit: queue.MaxLimit}
	for {
		listed, next, err := b.Of(ctx, e.Tenant, page)
		if err != nil {
			return nil, err
		}
		others = append(others, slices.DeleteFunc(listed, func(other Endpoint) bool { return other.ID == e.ID })...)
		if page.Cursor = next; next == "" {
			return others, nil
		}
	}
}
