// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// An API that is down fails for every object and at every try. An operator needs one
// line that says so and what to do, one now and then while it lasts, and one when it is
// over.

const (
	// repeatAfter is how often a trouble that lasts is told again.
	repeatAfter = time.Minute
	// otherAfter is how soon a trouble is told again because of another reason.
	otherAfter = 10 * time.Second
	// maxTroubled limits how many objects of a resource a trouble remembers.
	maxTroubled = 10_000
)

// remedies say what to do about results that last.
var remedies = map[Result]string{
	ResultFailed:  "look at the API, and at the address and the credential in `upstream`; the objects are asked for until it answers, or at once by `caddy webhooks look OBJECT`",
	ResultStale:   "replicas or caches of the API lag behind its writes: after five minutes what it shows is believed; `lag` tells how long to wait",
	ResultMissing: "the API does not show what it has confirmed; look at the path of `show` and at what its credential may see",
}

// troubles remembers which objects' Shows cannot be had, by resource.
type troubles struct {
	mu  sync.Mutex
	log *zap.Logger
	// asks is the request of each resource's Show, for people.
	asks map[string]string
	of   map[string]*trouble
	// unreads holds what failed since a Show could be had, by resource.
	unreads map[string]*unread
}

// trouble is what a resource's Shows have been failing of since a moment.
type trouble struct {
	since, told time.Time
	reason      string
	tries       int
	objects     map[event.Key]bool
	// more is true if there are more objects than are remembered.
	more bool
}

func newTroubles(log *zap.Logger) *troubles {
	return &troubles{log: log, of: make(map[string]*trouble), unreads: make(map[string]*unread)}
}

// ask sets which requests Shows are.
func (t *troubles) ask(resources []Resource) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asks = make(map[string]string)
	for i := range resources {
		t.asks[resources[i].Name] = resources[i].Asks
	}
}

// failed notes that an object's Show could not be had, and tells it unless that was told
// a moment ago.
func (t *troubles) failed(key event.Key, result Result, reason string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	of := t.of[key.Resource]
	if of == nil {
		of = &trouble{since: now, objects: make(map[event.Key]bool)}
		t.of[key.Resource] = of
	}
	of.tries++
	if of.objects[key] || len(of.objects) < maxTroubled {
		of.objects[key] = true
	} else {
		of.more = true
	}
	quiet := now.Sub(of.told)
	if quiet < otherAfter || quiet < repeatAfter && reason == of.reason {
		return
	}
	of.told, of.reason = now, reason
	told := fares(t.unreads[key.Resource], of, now)
	t.log.Warn("a Show cannot be had; it is asked for again",
		zap.String("resource", key.Resource), zap.String("status", string(told.Status)), zap.Time("since", told.Since), zap.String("show", t.asks[key.Resource]), zap.String("object", key.String()), zap.String("reason", reason),
		zap.Int("objects", len(of.objects)), zap.Bool("and_more", of.more), zap.Int("tries", of.tries), zap.Duration("for", now.Sub(of.since)),
		zap.String("remedy", remedies[result]))
}

// settled notes that an object's mark is done, and tells when it was the last of those
// that failed.
func (t *troubles) settled(key event.Key, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	of := t.of[key.Resource]
	if of != nil {
		if delete(of.objects, key); len(of.objects) > 0 {
			return
		}
	}
	// None waits any more, if only because it was given up.
	delete(t.unreads, key.Resource)
	if of == nil {
		return
	}
	delete(t.of, key.Resource)
	t.log.Info("no Show is failing any more", zap.String("resource", key.Resource), zap.Int("tries", of.tries), zap.Duration("after", now.Sub(of.since)))
}
