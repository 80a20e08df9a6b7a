// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// beginMember is the member of a new endpoint that says what it begins with.
const beginMember = "begin"

// beginning takes what a new endpoint begins with out of the members that were sent: nil
// is what happens from now on.
func (c *call) beginning(members map[string]any) (*subscribers.Run, error) {
	value, given := members[beginMember]
	delete(members, beginMember)
	if !given || value == nil {
		return nil, nil
	}
	text, isText := value.(string)
	switch {
	case !isText:
		return nil, malformed.in(FieldProblem{"/" + beginMember, "it is " + described(value), beginRemedy})
	case text == "now":
		return nil, nil
	case text == "snapshot":
		run := subscribers.NewSnapshotRun(c.store.Instance(), c.now)
		return &run, nil
	}
	from, err := queue.ParsePosition(text)
	if err != nil {
		at, err := timeOf(text, c.now)
		if err != nil {
			return nil, malformed.in(FieldProblem{"/" + beginMember, "it is no beginning that is known", beginRemedy})
		}
		if from, err = c.store.FeedSince(c.r.Context(), at); err != nil {
			return nil, err
		}
	}
	// What was removed would be missing, and nobody would be told.
	if _, err := c.store.ReadFeed(c.r.Context(), queue.OfTenant(c.caller.Tenant), from, 1); err != nil {
		return nil, feedProblem(err)
	}
	run := subscribers.NewReplayRun(c.store.Instance(), from, c.now)
	return &run, nil
}

const beginRemedy = "say now, snapshot, a cursor of a feed, or a time as 2026-03-04T05:06:07Z or 6h"

// deliverable reports, as a [Problem], an endpoint that cannot begin with anything:
// nothing is sent to it.
func deliverable(e *subscribers.Endpoint, pointer string) error {
	if e.URL == "" {
		return invalid.in(FieldProblem{pointer, "the endpoint has no url, and is sent nothing", "give it a url, or read the objects from the API, and then the feed"})
	}
	return nil
}

// admitRun reports why an endpoint, "" for a new one, cannot begin with a run, and holds back
// who starts snapshots too often. It is the last thing that is looked at: who is refused for
// another reason has started none.
func (c *call) admitRun(run *subscribers.Run, endpoint string) error {
	if run == nil {
		return nil
	}
	if err := c.book.AdmitRun(c.r.Context(), c.caller.Tenant, endpoint); err != nil || run.IsReplay() {
		return err
	}
	if wait := c.limits.snapshot(c.caller.Tenant, c.now); wait > 0 {
		return tooMany.retry(wait, "a snapshot reads all of your objects; wait before you start the next one")
	}
	return nil
}

// begun returns the record of what a new endpoint begins with, to be written with it.
func (c *call) begun(of *subscribers.Endpoint) (queue.Record, error) {
	if err := c.book.AdmitRun(c.r.Context(), of.Tenant, of.ID); err != nil {
		return queue.Record{}, err
	}
	return c.run.Record(of.ID, of.Tenant)
}

// runProblem returns the problem of a run that cannot begin, nil for another error.
func runProblem(err error) *Problem {
	switch {
	case errors.Is(err, subscribers.ErrRunning):
		return conflicting.problem("it is running already; wait until it is done, or cancel it with DELETE")
	case errors.Is(err, subscribers.ErrTooManyRuns):
		return conflicting.problem("%d of your endpoints have one that is running, as many as are possible; wait until one is done, or cancel it with DELETE", subscribers.MaxRuns)
	}
	return nil
}

// RunView is how far a run is.
type RunView struct {
	State    subscribers.RunState `json:"state"`
	Resource string               `json:"resource,omitempty"`
	Done     int                  `json:"done"`
	Of       int                  `json:"of"`
	Filtered int                  `json:"filtered,omitempty"`
	Unread   int                  `json:"unread,omitempty"`
	Complete bool                 `json:"complete"`
	BeganAt  time.Time            `json:"began_at"`
	EndedAt  time.Time            `json:"ended_at,omitzero"`
}

func viewRun(r *subscribers.Run) RunView {
	return RunView{
		State: r.State, Resource: strings.TrimRight(r.Resource, "\x00"), Done: r.Done, Of: max(r.Of, r.Done), Filtered: r.Filtered, Unread: r.Unread,
		Complete: r.Complete(), BeganAt: r.Began, EndedAt: r.Ended,
	}
}

// showSnapshot answers how far an endpoint's snapshot is.
func showSnapshot(c *call) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	e, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	run, err := c.book.Run(c.r.Context(), c.caller.Tenant, e.ID)
	if err != nil {
		return nil, err
	}
	return ok(viewRun(&run))
}

// startSnapshot has an endpoint be told of all objects, once more.
func startSnapshot(c *call) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	e, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	if err := deliverable(&e, ""); err != nil {
		return nil, err
	}
	begun := subscribers.NewSnapshotRun(c.store.Instance(), c.now)
	if err := c.admitRun(&begun, e.ID); err != nil {
		return nil, err
	}
	c.doing = doing{action: "snapshot"}
	run, err := c.book.BeginRun(c.r.Context(), c.caller.Tenant, e.ID, begun)
	if err != nil {
		return nil, err
	}
	return (&answer{status: http.StatusAccepted, body: viewRun(&run)}).set("Location", c.link("/endpoints/"+e.ID+"/snapshot")), nil
}

// cancelSnapshot ends what an endpoint begins with, wherever it is. What was committed
// until then is delivered.
func cancelSnapshot(c *call) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	e, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	c.doing = doing{action: "snapshot.cancel"}
	run, err := c.book.CancelRun(c.r.Context(), c.caller.Tenant, e.ID)
	if err != nil {
		return nil, err
	}
	return ok(viewRun(&run))
}
