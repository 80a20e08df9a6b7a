// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

// openIntents knows the open intents: their fields, and where they are stored.
// There are as many as exchanges under way.
type openIntents struct {
	mu   sync.Mutex
	open map[queue.IntentID]*openIntent
	// kept holds when intents were closed without their object, oldest first.
	kept []int64
}

// openIntent is an open intent. It does not change, but for its row.
type openIntent struct {
	id queue.IntentID
	// fields are its stored fields.
	fields []byte
	// deadline is when the intent becomes stale, in nanoseconds since 1970; 0
	// is never.
	deadline int64
	// abandoned is true if its owner is gone.
	abandoned bool
	// row is where it is stored. It belongs to the committer.
	row *intentRow
}

// Row implements [record.Row].
func (i *openIntent) Row() (id queue.IntentID, fields []byte) { return i.id, i.fields }

func newOpenIntents() *openIntents {
	return &openIntents{open: make(map[queue.IntentID]*openIntent)}
}

// note adds a stored intent.
func (o *openIntents) note(intent *openIntent) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open[intent.id] = intent
}

func (o *openIntents) close(id queue.IntentID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.open, id)
}

// get returns an open intent, or nil.
func (o *openIntents) get(id queue.IntentID) *openIntent {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.open[id]
}

// stale returns the oldest stale intents.
func (o *openIntents) stale(now int64, limit int) []*openIntent {
	o.mu.Lock()
	defer o.mu.Unlock()
	var stale []*openIntent
	for _, intent := range o.open {
		if intent.abandoned || intent.deadline != 0 && intent.deadline <= now {
			stale = append(stale, intent)
		}
	}
	slices.SortFunc(stale, func(a, b *openIntent) int { return cmp.Compare(a.id, b.id) })
	return stale[:max(0, min(limit, len(stale)))]
}

// names returns the objects that open intents name.
func (o *openIntents) names() (map[event.Key]bool, error) {
	o.mu.Lock()
	intents := slices.Collect(maps.Values(o.open))
	o.mu.Unlock()
	named := make(map[event.Key]bool)
	for _, one := range intents {
		intent, err := one.parse()
		if err != nil {
			return nil, err
		}
		named[intent.Key] = true
		for _, key := range intent.Touches {
			named[key] = true
		}
	}
	return named, nil
}

func (i *openIntent) parse() (queue.Intent, error) {
	return record.ParseIntent(i.id, i.fields)
}

// keep counts an intent that was closed without its object.
func (o *openIntents) keep(at int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept = append(o.kept, at)
}

// dismiss takes back such a count.
func (o *openIntents) dismiss(at int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if i := slices.Index(o.kept, at); i >= 0 {
		o.kept = slices.Delete(o.kept, i, i+1)
	}
}

// count returns how many intents are open, and how many were kept since a time.
func (o *openIntents) count(since int64) (open, kept int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	expired := 0
	for expired < len(o.kept) && o.kept[expired] <= since {
		expired++
	}
	o.kept = slices.Delete(o.kept, 0, expired)
	return len(o.open), len(o.kept)
}
