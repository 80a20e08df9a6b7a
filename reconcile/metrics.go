// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"time"
)

// Result is how one reconciliation ended; a label in metrics.
type Result string

// The results of a reconciliation.
const (
	ResultEvent        Result = "event"         // the object differs: a new snapshot, and its events
	ResultNoDifference Result = "no_difference" // the object is as it was last known
	ResultKnown        Result = "known"         // an unknown object, recorded as it is
	ResultUncertain    Result = "uncertain"     // the same, and nobody knows whether an exchange changed it
	ResultForeign      Result = "foreign"       // the Show is another object's, and nobody confirmed this one; forgotten
	ResultListed       Result = "listed"        // a query or a list was read, and its objects are marked
	ResultAlias        Result = "alias"         // the object has another name, under which it is marked
	ResultEarly        Result = "early"         // no difference yet; looked at again
	ResultNoCaller     Result = "no_credential" // the caller's credential is missing
	ResultStale        Result = "stale"         // the Show is older than the known state; retried
	ResultMissing      Result = "missing"       // no Show and no proof of a delete; retried
	ResultFailed       Result = "failed"        // no usable Show; retried
	ResultGivenUp      Result = "given_up"      // no Show will ever come, it was missing for a day, or nothing proves its delete; recorded
	ResultLost         Result = "lease_lost"    // somebody else holds the object
)

// Metrics counts what happens. Its methods must not block.
type Metrics interface {
	// Reconciled counts a reconciliation and how long reading Show took.
	Reconciled(resource string, result Result, took time.Duration)
	// Event counts an event.
	Event(eventType string)
	// Unresolved counts a change of an unknown object.
	Unresolved(resource string)
	// Ownerless counts an event whose object has no owner although its
	// resource has tenants.
	Ownerless(resource string)
	// ConditionFailed counts a condition of an event that could not be
	// evaluated.
	ConditionFailed(resource string)
}

type noMetrics struct{}

func (noMetrics) Reconciled(string, Result, time.Duration) {}
func (noMetrics) Event(string)                             {}
func (noMetrics) Unresolved(string)                        {}
func (noMetrics) Ownerless(string)                         {}
func (noMetrics) ConditionFailed(string)                   {}
