// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"container/heap"
	"slices"
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// openIntents knows which intents are open, and which of them nobody will
// resolve any more.
type openIntents struct {
	mu sync.Mutex
	// ids holds the open intents.
	ids map[queue.IntentID]struct{}
	// running orders those that have a deadline and have not been found stale
	// by that, late those that have by number. Both may hold intents that are
	// closed.
	running deadlineHeap
	late    []queue.IntentID
	// kept holds when intents were closed without their object, oldest first.
	kept []int64
}

func newOpenIntents() *openIntents {
	return &openIntents{ids: make(map[queue.IntentID]struct{})}
}

// open adds an intent of this process.
func (o *openIntents) open(id queue.IntentID, deadline time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ids[id] = struct{}{}
	if deadline.IsZero() {
		return
	}
	// Most intents are closed long before their deadline, and nobody may ask
	// for stale ones for a while: drop the closed ones when they prevail.
	if len(o.running) > 2*len(o.ids)+1024 {
		o.running = slices.DeleteFunc(o.running, func(d expiring) bool { return !o.isOpen(d.id) })
		heap.Init(&o.running)
	}
	heap.Push(&o.running, expiring{id: id, at: schedule.Nanos(deadline)})
}

// adopt adds an intent of an earlier process, in the order of their numbers.
func (o *openIntents) adopt(id queue.IntentID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ids[id] = struct{}{}
	o.late = append(o.late, id)
}

func (o *openIntents) close(id queue.IntentID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.ids, id)
}

func (o *openIntents) has(id queue.IntentID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.isOpen(id)
}

func (o *openIntents) isOpen(id queue.IntentID) bool {
	_, open := o.ids[id]
	return open
}

// stale returns the oldest intents that nobody will resolve any more.
func (o *openIntents) stale(now int64, limit int) []queue.IntentID {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.running) > 0 && (o.running[0].at <= now || !o.isOpen(o.running[0].id)) {
		d := heap.Pop(&o.running).(expiring)
		if at, found := slices.BinarySearch(o.late, d.id); !found && o.isOpen(d.id) {
			o.late = slices.Insert(o.late, at, d.id)
		}
	}
	if len(o.late) == 0 {
		return nil
	}
	o.late = slices.DeleteFunc(o.late, func(id queue.IntentID) bool { return !o.isOpen(id) })
	return slices.Clone(o.late[:max(0, min(limit, len(o.late)))])
}

// keep counts an intent that was closed without its object.
func (o *openIntents) keep(at int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept = append(o.kept, at)
}

// dismiss takes back a count of an intent that was closed without its object.
func (o *openIntents) dismiss(at int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if i := slices.Index(o.kept, at); i >= 0 {
		o.kept = slices.Delete(o.kept, i, i+1)
	}
}

// count returns how many intents are open, and how many are kept since.
func (o *openIntents) count(since int64) (open, kept int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	expired := 0
	for expired < len(o.kept) && o.kept[expired] <= since {
		expired++
	}
	o.kept = slices.Delete(o.kept, 0, expired)
	return len(o.ids), len(o.kept)
}

// expiring is when an intent goes stale.
type expiring struct {
	id queue.IntentID
	at int64
}

// deadlineHeap implements [heap.Interface].
type deadlineHeap []expiring

func (h deadlineHeap) Len() int           { return len(h) }
func (h deadlineHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h deadlineHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *deadlineHeap) Push(d any)        { *h = append(*h, d.(expiring)) }

func (h *deadlineHeap) Pop() any {
	last := len(*h) - 1
	d := (*h)[last]
	*h = (*h)[:last]
	return d
}
