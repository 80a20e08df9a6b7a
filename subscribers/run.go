// SPDX-License-Identifier: Apache-2.0

package subscribers

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// KindRun is the kind of the records of what endpoints begin with. A record's id is the
// endpoint's, its owner the endpoint's tenant, and its value a [Run].
const KindRun = "run"

// RunState is how far a run is.
type RunState string

const (
	// Listing: all objects are listed, so that none is missing that nobody has seen.
	Listing RunState = "listing"
	// Walking: the endpoint is told of one object after the other.
	Walking RunState = "walking"
	// Replaying: the endpoint is sent events that are older than it.
	Replaying RunState = "replaying"
	// Done: nothing is left.
	Done RunState = "done"
	// Cancelled: somebody has ended it before.
	Cancelled RunState = "cancelled"
)

// Run is what an endpoint begins with, beside what happens from now on: the state of
// all objects, or the events since a position. It is stored with each step, so that it
// goes on where it was, whoever goes on with it.
type Run struct {
	// ID tells the runs of an endpoint apart.
	ID string `json:"id"`
	// Queue is the identity of the queue that it was begun in. A queue that was restored
	// is another one, in which it begins anew.
	Queue string   `json:"queue"`
	State RunState `json:"state"`
	// Began is when it began, and Ended when it was done or cancelled.
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended,omitzero"`

	// Resource is whose objects are listed or walked through at present; all those before
	// it, in the order of their names, are done. After is the id of the last object that
	// is done.
	Resource string `json:"resource,omitempty"`
	After    string `json:"after,omitempty"`
	// Done counts the objects, or events, that were looked at, of about Of. Filtered are
	// those of them that the endpoint's filter left out, and Unread those that could not
	// be read.
	Done     int `json:"done"`
	Of       int `json:"of"`
	Filtered int `json:"filtered,omitempty"`
	Unread   int `json:"unread,omitempty"`
	// Partial is true if something may be missing.
	Partial bool `json:"partial,omitempty"`

	// From is the position up to which events were replayed, and To where the endpoint's
	// own begin, "" until that is known.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`

	// Version is that of the record.
	Version uint64 `json:"-"`
}

// NewSnapshotRun returns a run that tells of all objects.
func NewSnapshotRun(of queue.Instance, now time.Time) Run {
	return Run{ID: newRunID(), Queue: QueueName(of), State: Listing, Began: now.UTC()}
}

// NewReplayRun returns a run that sends the events since a position.
func NewReplayRun(of queue.Instance, from queue.Position, now time.Time) Run {
	return Run{ID: newRunID(), Queue: QueueName(of), State: Replaying, Began: now.UTC(), From: from.String()}
}

// QueueName is how a run names its queue.
func QueueName(of queue.Instance) string { return fmt.Sprintf("%x", of.ID[:8]) }

// Running reports whether something is left to do.
func (r *Run) Running() bool { return r.State != Done && r.State != Cancelled }

// Complete reports whether nothing is missing, as far as that is known.
func (r *Run) Complete() bool { return !r.Partial && r.Unread == 0 }

// IsReplay reports whether the run sends events.
func (r *Run) IsReplay() bool { return r.From != "" }

// End ends the run.
func (r *Run) End(as RunState, now time.Time) {
	r.State, r.Ended, r.Resource, r.After = as, now.UTC(), "", ""
}

// Turn goes on to the first of some resources that is not done, and reports false if all
// are. They may be others than before, as after a change of the endpoint.
func (r *Run) Turn(resources []string) bool {
	for _, name := range slices.Sorted(slices.Values(resources)) {
		if name >= r.Resource {
			if name != r.Resource {
				r.Resource, r.After = name, ""
			}
			return true
		}
	}
	return false
}

// Over notes that the present resource is done.
func (r *Run) Over() {
	// It is the first name behind the present one.
	r.Resource, r.After = r.Resource+"\x00", ""
}

// Passed is what became of an object.
type Passed int

// What may become of an object.
const (
	// Told: the endpoint was told of it, now or by an event.
	Told Passed = iota
	// Skipped: it is none of the endpoint's objects, or not there.
	Skipped
	// Filtered: the endpoint's filter leaves it out.
	Filtered
	// Unread: it could not be read.
	Unread
)

// Pass notes what became of an object.
func (r *Run) Pass(key event.Key, as Passed) {
	r.After = key.ID
	switch as {
	case Skipped:
		return
	case Filtered:
		r.Filtered++
	case Unread:
		r.Unread++
	case Told:
	}
	r.Done++
}

// Record returns the record that keeps the run of an endpoint.
func (r *Run) Record(endpoint, tenant string) (queue.Record, error) {
	value, err := json.Marshal(r)
	if err != nil {
		return queue.Record{}, fmt.Errorf("encoding the run of endpoint %s: %w", endpoint, err)
	}
	return queue.Record{Kind: KindRun, ID: endpoint, Owner: tenant, Version: r.Version, Value: value}, nil
}

// RunOf is the inverse of [Run.Record].
func RunOf(record queue.Record) (Run, error) {
	var r Run
	if err := json.Unmarshal(record.Value, &r); err != nil {
		return Run{}, fmt.Errorf("reading the run of endpoint %s: %w", record.ID, err)
	}
	r.Version = record.Version
	return r, nil
}

// AsksFor reports whether an endpoint with these patterns of event types is told of the
// objects of a resource whose rules make events of such types: it is if it asks for one of
// them, or for all snapshots of the resource.
func AsksFor(patterns []string, resource string, types []event.Template) bool {
	if len(patterns) == 0 {
		return true
	}
	filter, err := event.ParseFilter(patterns...)
	if err != nil {
		return false
	}
	return filter.Match(SnapshotType(resource)) || slices.ContainsFunc(types, func(t event.Template) bool {
		return slices.ContainsFunc(patterns, t.May)
	})
}

// SnapshotType is the type of the events that tell how a resource's objects are.
func SnapshotType(resource string) string { return resource + ".snapshot" }
