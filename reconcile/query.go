// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// QueryKind is the purpose of a query.
type QueryKind int

const (
	// Touched: the objects that an exchange may have changed or created.
	Touched QueryKind = iota
	// Found: the object that an exchange of unknown outcome may have created.
	// If there is none once the API can no longer commit late, that is evidence
	// that nothing was created.
	Found
	// Awaited: the object that an accepted request will make. If none
	// appears in time, this is recorded as unresolved.
	Awaited
)

// Query is a request whose answer names the objects that an exchange changed.
// It is queued as a mark like any other, with the query's name in place of a
// resource's.
type Query struct {
	// Name is the resource in its marks' keys.
	Name string
	// Kind is its purpose.
	Kind QueryKind
	// Read sends the request.
	Read func(ctx context.Context, key event.Key) (show.Show, error)
	// Keys reads the keys of the objects from the answer to the request of a key.
	Keys func(of event.Key, answer event.Document) ([]event.Key, error)
	// Limit limits how many requests are under way at once.
	Limit *Limit
	// Looks is the budget of requests that no exchange caused.
	Looks *rate.Limiter
	// Unconfirmed is the budget of queries that only clients ask for. Nil means
	// no limit.
	Unconfirmed *rate.Limiter

	records *queue.RecordBudget
}

// maxRemembered limits how many objects of a query are remembered, to
// recognise new ones the next time.
const maxRemembered = 4096

// query sends a query and marks the objects that its answer names.
func (r *Reconciler) query(ctx context.Context, q *Query, lease queue.MarkLease, place *place) (answered bool) {
	asked := r.now()
	answer, err := q.Read(ctx, lease.Key)
	took := r.now().Sub(asked)
	if err != nil {
		return r.readFailed(ctx, q.Name, q.records, lease, err, took)
	}
	defer r.unplace(ctx, place, !overloaded(answer))()
	result := r.queried(ctx, q, lease, answer, asked)
	r.metrics.Reconciled(q.Name, result, took)
	return !overloaded(answer)
}

// queried commits what the answer to a query shows.
func (r *Reconciler) queried(ctx context.Context, q *Query, lease queue.MarkLease, answer show.Show, asked time.Time) Result {
	now := r.now()
	fail := func(reason string) Result {
		return r.failed(ctx, q.records, lease, nil, reason, retryAfter(answer.Header, now))
	}
	none := answer.Status == 404 || answer.Status == 410
	if !none && (answer.Status < 200 || answer.Status > 299) {
		return fail(fmt.Sprintf("the query was answered with %d%s", answer.Status, leadsTo(answer)))
	}
	var keys []event.Key
	if !none {
		var err error
		if keys, err = q.Keys(lease.Key, answer.Document()); err != nil {
			return fail(err.Error())
		}
	}
	settled := lease.SettleAt.IsZero() || !asked.Before(lease.SettleAt)
	if len(keys) == 0 && q.Kind != Touched && !settled {
		if wait := between(lease.MarkedAt, lease.SettleAt, now); wait > 0 {
			r.postpone(ctx, lease, now.Add(wait))
			return ResultNoDifference
		}
	}
	reconciled := queue.Reconciled{AskedAt: asked}
	reconciled.Marks, reconciled.Snapshot = q.marks(r.hasher, lease, keys, now)
	if len(keys) == 0 && q.Kind == Awaited && settled {
		reconciled.Unresolved = "the request was accepted, and the object that it makes did not appear in time"
		r.metrics.Unresolved(q.Name)
	}
	result := ResultNoDifference
	if len(reconciled.Marks) > 0 {
		result = ResultListed
	}
	return r.commit(ctx, nil, lease, reconciled, result)
}

// marks makes the marks of the objects that an answer names, and the snapshot
// by which they are remembered.
//
// An exchange may have changed any object that the query named before. An
// object that is new since then was created by it. The first time, nothing
// shows which objects are new: one that was never seen counts as new.
func (q *Query) marks(hasher event.Hasher, lease queue.MarkLease, keys []event.Key, now time.Time) ([]queue.Mark, *event.Snapshot) {
	prints := make([]uint64, len(keys))
	for i, key := range keys {
		prints[i] = binary.BigEndian.Uint64(hasher.Show(event.NewDocument([]byte(key.String()))))
	}
	before := decode64(lease.Snapshot)
	var marks []queue.Mark
	for i, key := range keys {
		if key.Resource == "" {
			continue
		}
		mark := queue.Mark{Key: key, Hints: queue.HintMayBeUpdated, Cause: lease.Cause, Callback: nil}
		switch unconfirmed := lease.Hints.AreUnconfirmed(); {
		case unconfirmed && q.Kind != Touched:
			// It may have been there for long.
			mark.Hints = queue.HintMayBeCreated | queue.HintUnconfirmed
		case unconfirmed && (before == nil || slices.Contains(before, prints[i])):
			mark.Hints |= queue.HintUnconfirmed
		case q.Kind != Touched:
			mark.Hints = queue.HintCreated
			if lease.Callback != nil {
				mark.Callback = lease.Callback.Sealed
			}
		case before == nil:
			mark.Hints = queue.HintMayBeCreated
		case !slices.Contains(before, prints[i]):
			mark.Hints = queue.HintCreated
		}
		marks = append(marks, mark)
	}
	if q.Kind != Touched {
		return marks, nil
	}
	slices.Sort(prints)
	remembered := encode64(prints[:min(len(prints), maxRemembered)])
	snapshot := &event.Snapshot{Key: lease.Key, Show: remembered, Time: now}
	if lease.Snapshot != nil && !lease.SettleAt.IsZero() && !lease.Snapshot.Time.Before(lease.MarkedAt) &&
		bytes.Equal(lease.Snapshot.Show, remembered) && lease.Generation <= 1 {
		// The second reading for the same exchange names nothing new.
		return nil, nil
	}
	return marks, snapshot
}

func encode64(numbers []uint64) []byte {
	encoded := make([]byte, 0, 8*len(numbers))
	for _, n := range numbers {
		encoded = binary.BigEndian.AppendUint64(encoded, n)
	}
	return encoded
}

func decode64(snapshot *event.Snapshot) []uint64 {
	if snapshot == nil {
		return nil
	}
	numbers := make([]uint64, 0, len(snapshot.Show)/8)
	for at := 0; at+8 <= len(snapshot.Show); at += 8 {
		numbers = append(numbers, binary.BigEndian.Uint64(snapshot.Show[at:]))
	}
	return numbers
}
