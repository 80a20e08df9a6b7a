// SPDX-License-Identifier: Apache-2.0

package snapshots

import (
	"context"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// witness is a queue that has something happen just before an object is introduced, and
// checks that what is introduced is so at that moment. All that could change it waits.
type witness struct {
	queue.Store
	t failing
	// turn is held by who writes. It is no mutex, as time stands still in a bubble while
	// somebody waits for one.
	turn chan struct{}
	// before, if not nil, is called before each introduction.
	before func(i *queue.Introduction)
}

func newWitness(t failing, store queue.Store) *witness {
	return &witness{Store: store, t: t, turn: make(chan struct{}, 1)}
}

func (w *witness) take() (leave func()) {
	w.turn <- struct{}{}
	return func() { <-w.turn }
}

func (w *witness) ResolveIntent(ctx context.Context, id queue.IntentID, resolution queue.Resolution, durable bool) error {
	defer w.take()()
	return w.Store.ResolveIntent(ctx, id, resolution, durable)
}

func (w *witness) CommitReconciled(ctx context.Context, lease queue.MarkLease, reconciled queue.Reconciled) error {
	defer w.take()()
	return w.Store.CommitReconciled(ctx, lease, reconciled)
}

func (w *witness) Change(ctx context.Context, changes ...queue.Record) (uint64, error) {
	defer w.take()()
	return w.Store.Change(ctx, changes...)
}

func (w *witness) Introduce(ctx context.Context, i queue.Introduction) (uint64, error) {
	if w.before != nil {
		w.before(&i)
	}
	defer w.take()()
	now, err := w.Sighted(ctx, i.Event.Key)
	run, _ := w.Record(ctx, subscribers.KindRun, i.Endpoint)
	epoch, _ := w.Epoch(ctx, queue.KindEndpoint)
	version, failed := w.Store.Introduce(ctx, i)
	if failed != nil {
		return version, failed
	}
	known, was := &now.Snapshot, &i.Sighting.Snapshot
	switch {
	case err != nil || known.Gone || known.Sequence != was.Sequence || !slices.Equal(known.Hash, was.Hash) || known.Tenant != "acme":
		w.t.Errorf("introduced as %+v, and it was %+v, %v", was, known, err)
	case now.Generation != i.Sighting.Generation:
		w.t.Errorf("%s was introduced although its mark has moved from %d to %d", i.Event.Key, i.Sighting.Generation, now.Generation)
	case epoch != i.Epoch:
		w.t.Errorf("%s was introduced by the endpoints of %d, and they are those of %d", i.Event.Key, i.Epoch, epoch)
	case run.Version != i.Progress.Version:
		w.t.Errorf("%s was introduced by a run that has changed", i.Event.Key)
	}
	if kept, err := w.Record(ctx, subscribers.KindRun, i.Endpoint); err != nil || kept.Version != version {
		w.t.Errorf("%s was introduced, and the run has version %d, not %d: %v", i.Event.Key, kept.Version, version, err)
	}
	if told, err := isTold(ctx, w.Store, i.Event.ID, i.Endpoint); err != nil || !told {
		w.t.Errorf("%s was introduced, and is not delivered: %v", i.Event.Key, err)
	}
	return version, nil
}
