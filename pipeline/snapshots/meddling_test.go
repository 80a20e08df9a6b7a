// SPDX-License-Identifier: Apache-2.0

package snapshots

import (
	"slices"
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// meddling is what happens between the decision to introduce an object and its
// introduction.
type meddling string

const (
	nothing   meddling = "nothing"
	looked    meddling = "it is looked at"
	changed   meddling = "it is changed"
	unnoticed meddling = "it is changed without an event"
	handed    meddling = "it is handed over"
	joined    meddling = "another one becomes the tenant's"
	relabeled meddling = "the endpoint is changed"
	cancelled meddling = "the run is cancelled"
)

// meddle has things happen before the next introductions, one before each.
func (w *world) meddle(with []meddling) {
	var mu sync.Mutex
	next := 0
	w.witness.before = func(i *queue.Introduction) {
		mu.Lock()
		at := next
		next++
		mu.Unlock()
		if at < len(with) {
			w.happens(with[at], i)
		}
	}
}

func (w *world) happens(what meddling, i *queue.Introduction) {
	id, made := i.Event.Key.ID, w.next()
	marked := true
	switch what {
	case looked:
		w.mark(id, queue.HintLooked, time.Now())
	case changed:
		marked = w.alter(id, queue.HintUpdated, func(of *object) { of.a = made })
	case unnoticed:
		marked = w.alter(id, queue.HintUpdated, func(of *object) { of.b = made })
	case handed:
		marked = w.alter(id, queue.HintUpdated, func(of *object) { of.tenant = "umbrella" })
		w.leave(id)
	case joined:
		w.joins(i.Endpoint, made)
		return
	case relabeled:
		// It may be deleted.
		_, _ = w.book.Change(w.ctx, "acme", i.Endpoint, queue.AnyVersion, func(e *subscribers.Endpoint) error { e.Label = "changed"; return nil })
		return
	case cancelled:
		_, _ = w.book.CancelRun(w.ctx, "acme", i.Endpoint)
		return
	case nothing:
		return
	}
	// Mostly it is known by the time of the introduction.
	for range 10 {
		if now, err := w.store.Sighted(w.ctx, i.Event.Key); !marked || err != nil || now.Generation == 0 {
			return
		}
		time.Sleep(time.Second)
	}
}

// joins has an object become acme's that is not, while an endpoint is being told of all: it
// has to be told of that one, too, wherever it is.
func (w *world) joins(endpoint string, n int) {
	w.mu.Lock()
	others := slices.DeleteFunc(slices.Clone(allObjects), func(id string) bool {
		of, there := w.objects[id]
		return !there || of.tenant == "acme"
	})
	w.mu.Unlock()
	if len(others) == 0 {
		return
	}
	id := others[n%len(others)]
	passes := w.isAnothers(id)
	w.alter(id, queue.HintUpdated, func(of *object) { of.tenant = "acme" })
	for range 10 {
		if w.isKnown(id) {
			break
		}
		time.Sleep(time.Second)
	}
	run, err := w.book.Run(w.ctx, "acme", endpoint)
	if !passes || !w.isKnown(id) || err != nil || !run.Running() {
		return
	}
	w.mu.Lock()
	for _, b := range w.beginners {
		if b.id == endpoint {
			b.there[id] = true
		}
	}
	w.mu.Unlock()
	w.leave(id)
}
