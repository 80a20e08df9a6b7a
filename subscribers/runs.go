// SPDX-License-Identifier: Apache-2.0

package subscribers

import (
	"cmp"
	"context"
	"errors"
	"maps"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// MaxRuns is how many endpoints of a tenant may begin with something at the same time.
const MaxRuns = 3

var (
	// ErrRunning is returned for an endpoint whose run is not over.
	ErrRunning = errors.New("it is running already")
	// ErrTooManyRuns is returned if as many endpoints of the tenant have a run as may.
	ErrTooManyRuns = errors.New("too many of your endpoints have one that is running")
)

// Run returns the last run of a tenant's endpoint, or [queue.ErrNotFound].
func (b *Book) Run(ctx context.Context, tenant, id string) (Run, error) {
	kept, err := b.Store.Record(ctx, KindRun, id)
	if err == nil && kept.Owner != tenant {
		err = queue.ErrNotFound
	}
	if err != nil {
		return Run{}, err
	}
	return RunOf(kept)
}

// AdmitRun reports why an endpoint cannot have one more run that is running: an id of ""
// is that of a new endpoint. It is certain in the step that writes the tenant's slots.
func (b *Book) AdmitRun(ctx context.Context, tenant, id string) error {
	running := 0
	runs, unread, err := runsOf(ctx, b.Store, tenant)
	if err := cmp.Or(err, unread); err != nil {
		return err
	}
	for other, r := range runs {
		switch {
		case !r.Running():
		case other == id:
			return ErrRunning
		default:
			running++
		}
	}
	if running >= MaxRuns {
		return ErrTooManyRuns
	}
	return nil
}

// runsOf returns the last runs of a tenant's endpoints, by endpoint. Unread is why some of
// them cannot be read.
func runsOf(ctx context.Context, store Store, tenant string) (runs map[string]Run, unread, err error) {
	runs = make(map[string]Run)
	page := queue.Page{Limit: queue.MaxLimit}
	for {
		kept, next, err := store.RecordsOf(ctx, KindRun, tenant, page)
		if err != nil {
			return nil, unread, err
		}
		for i := range kept {
			if r, err := RunOf(kept[i]); err != nil {
				unread = err
			} else {
				runs[kept[i].ID] = r
			}
		}
		if page.Cursor = next; next == "" {
			return runs, unread, nil
		}
	}
}

// Beginning returns the runs of a tenant's endpoints that are not over, by endpoint, and a
// record that is in its version as long as no other run begins: whoever commits on that
// condition has missed none. One that cannot be read goes on nowhere, and is left out.
func Beginning(ctx context.Context, store Store, tenant string) (runs map[string]Run, until queue.Record, err error) {
	// It is read first: what begins afterwards has changed it.
	if until, err = readSlots(ctx, store, tenant); err != nil {
		return nil, until, err
	}
	if runs, _, err = runsOf(ctx, store, tenant); err != nil {
		return nil, until, err
	}
	maps.DeleteFunc(runs, func(_ string, r Run) bool { return !r.Running() })
	return runs, until, nil
}

// BeginRun begins a run of a tenant's endpoint, in place of one that is over.
func (b *Book) BeginRun(ctx context.Context, tenant, id string, run Run) (Run, error) {
	return b.changeRun(ctx, tenant, id, func() error {
		if err := b.AdmitRun(ctx, tenant, id); err != nil {
			return err
		}
		run.Version = 0
		before, err := b.Run(ctx, tenant, id)
		if errors.Is(err, queue.ErrNotFound) {
			return nil
		}
		run.Version = before.Version
		return err
	}, &run)
}

// CancelRun ends the run of a tenant's endpoint, if it is not over. Whoever works on it
// gets to know with its next step.
func (b *Book) CancelRun(ctx context.Context, tenant, id string) (Run, error) {
	var run Run
	return b.changeRun(ctx, tenant, id, func() (err error) {
		if run, err = b.Run(ctx, tenant, id); err != nil || !run.Running() {
			return err
		}
		run.End(Cancelled, b.Now())
		// It moves with each step of its work, and that must not save it.
		run.Version = queue.AnyVersion
		return nil
	}, &run)
}

// changeRun writes a run as next leaves it, unless next leaves one that is over and was.
// The tenant's slots are read before and written with it, so that the endpoint is still
// there, and what next has read of other runs is still so.
func (b *Book) changeRun(ctx context.Context, tenant, id string, next func() error, run *Run) (Run, error) {
	for {
		slots, err := readSlots(ctx, b.Store, tenant)
		if err != nil {
			return Run{}, err
		}
		of, err := b.Get(ctx, tenant, id)
		if err != nil {
			return Run{}, err
		}
		if err := next(); err != nil {
			return Run{}, err
		}
		if !run.Running() && run.Version != queue.AnyVersion {
			return *run, nil
		}
		kept, err := run.Record(id, tenant)
		if err != nil {
			return Run{}, err
		}
		with, err := b.with(&of)
		if err != nil {
			return Run{}, err
		}
		version, err := b.Store.Change(ctx, append(with, kept, slots)...)
		var conflict *queue.ConflictError
		switch {
		case err == nil:
			run.Version = version
			return *run, nil
		case !errors.As(err, &conflict) || conflict.Kind != kindSlots && conflict.Kind != KindRun:
			return Run{}, err
		}
	}
}
