// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"slices"
	"strings"
	"time"
)

// Listing says how a list fares.
type Listing struct {
	// Resource is the resource whose objects are listed.
	Resource string `json:"resource"`
	// Complete is when this process last completed the list, zero for never.
	Complete time.Time `json:"complete,omitzero"`
	// Objects counts what it had.
	Objects int `json:"objects,omitempty"`
	// Note is what operators should know of it, "" for nothing.
	Note string `json:"note,omitempty"`
	// Tries counts the failures since, Since is when the first of them was, and
	// Reason is that of the last.
	Tries  int       `json:"tries,omitempty"`
	Since  time.Time `json:"since,omitzero"`
	Reason string    `json:"reason,omitempty"`
}

// failingTries is after how many failures in a row a list counts as failing. An API
// may be restarted.
const failingTries = 3

// Failing reports whether the list does not complete.
func (l Listing) Failing() bool { return l.Tries >= failingTries }

// Listings returns how the lists of the plan fare, by resource.
func (r *Reconciler) Listings() []Listing {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Listing, 0, len(r.lists))
	for resource := range r.lists {
		listing := r.listings[resource]
		listing.Resource = resource
		all = append(all, listing)
	}
	slices.SortFunc(all, func(a, b Listing) int { return strings.Compare(a.Resource, b.Resource) })
	return all
}

// planLists notes which lists are wanted now.
func (r *Reconciler) planLists(lists []List) {
	wanted := make(map[string]string, len(lists))
	for i := range lists {
		wanted[lists[i].Resource] = lists[i].ID
		if old, known := r.lists[lists[i].Resource]; known && old != lists[i].ID {
			delete(r.listings, lists[i].Resource) // that was another list
		}
	}
	r.lists = wanted
}

// wants reports whether the plan still has a list as it is.
func (r *Reconciler) wants(l *List) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	id, ok := r.lists[l.Resource]
	return ok && id == l.ID
}

// listCompleted notes that a list is complete.
func (r *Reconciler) listCompleted(l *List, at time.Time, objects int, note string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listings[l.Resource] = Listing{Complete: at, Objects: objects, Note: note}
}

// listBroken notes that a list failed.
func (r *Reconciler) listBroken(l *List, at time.Time, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	listing := r.listings[l.Resource]
	if listing.Tries++; listing.Since.IsZero() {
		listing.Since = at
	}
	listing.Reason = reason
	r.listings[l.Resource] = listing
}
