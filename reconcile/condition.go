// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// ShowsStatus is how the Shows of a resource fare. The words are those of endpoints.
type ShowsStatus string

const (
	// ShowsActive: they are read, or none is wanted.
	ShowsActive ShowsStatus = "active"
	// ShowsRetrying: some cannot be had.
	ShowsRetrying ShowsStatus = "retrying"
	// ShowsFailing: none can be had, for a minute at least.
	ShowsFailing ShowsStatus = "failing"
)

// ShowsStatuses are all of them.
var ShowsStatuses = []ShowsStatus{ShowsActive, ShowsRetrying, ShowsFailing}

const (
	// failingAfter is how long no Show of a resource could be had before they count
	// as failing: longer than an API is restarted. enoughTries is how many tries must
	// have failed as well, and, where the API answers that an object is not there, of
	// how many objects.
	failingAfter = time.Minute
	enoughTries  = 3
)

// Shows says how the Shows of a resource fare.
type Shows struct {
	Resource string      `json:"resource"`
	Status   ShowsStatus `json:"status"`
	// Since is when it became so, and Reason is that of the last failure; both are
	// empty of active ones.
	Since  time.Time `json:"since,omitzero"`
	Reason string    `json:"reason,omitempty"`
	// Objects counts those that wait because their Shows cannot be had.
	Objects int `json:"objects,omitempty"`
	// Show is the request.
	Show string `json:"show,omitempty"`
}

// unread counts what failed since a Show of a resource could be had.
type unread struct {
	since  time.Time
	tries  int
	reason string
	// unusable is true if the API did not answer with any Show, as opposed to
	// answering that an object is not there.
	unusable bool
	// objects holds some of those that failed, no more than enoughTries.
	objects map[event.Key]bool
}

// fares returns how Shows fare, in the words in which it is told everywhere: lists,
// metrics, health and the log. Without failures, both arguments are nil.
func fares(u *unread, of *trouble, now time.Time) Shows {
	told := Shows{Status: ShowsActive}
	if of != nil {
		told.Status, told.Since, told.Reason, told.Objects = ShowsRetrying, of.since, of.reason, len(of.objects)
	}
	if u == nil {
		return told
	}
	told.Status, told.Since, told.Reason = ShowsRetrying, u.since, u.reason
	if u.tries >= enoughTries && now.Sub(u.since) >= failingAfter && (u.unusable || len(u.objects) >= enoughTries) {
		told.Status = ShowsFailing
	}
	return told
}

// unread notes that an object's Show could not be had, as the API did not show it. What
// strangers ask for says nothing of the API, and is not noted.
func (t *troubles) unread(key event.Key, result Result, reason string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.unreads[key.Resource]
	if u == nil {
		u = &unread{since: now, objects: make(map[event.Key]bool)}
		t.unreads[key.Resource] = u
	}
	u.tries++
	u.reason = reason
	u.unusable = u.unusable || result == ResultFailed
	if len(u.objects) < enoughTries {
		u.objects[key] = true
	}
}

// read notes that a Show of a resource could be had.
func (t *troubles) read(resource string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.unreads, resource)
}

// Shows returns how the Shows of the plan's resources fare, by resource.
func (r *Reconciler) Shows() []Shows {
	return r.troubles.shows(r.now())
}

func (t *troubles) shows(now time.Time) []Shows {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]Shows, 0, len(t.asks))
	for resource, show := range t.asks {
		told := fares(t.unreads[resource], t.of[resource], now)
		told.Resource, told.Show = resource, show
		all = append(all, told)
	}
	slices.SortFunc(all, func(a, b Shows) int { return strings.Compare(a.Resource, b.Resource) })
	return all
}
