// SPDX-License-Identifier: Apache-2.0

// Package model explores the protocol by which changes become events: every
// order in which requests, their answers, Shows, commits, syncs and crashes can
// follow one another, for a few requests to one object. It is the argument for
// the promises G1 to G5; the tests of the real code then show that it does what
// the model does.
//
// The model has what the code has: intents that are durable before the request
// is sent to the API; outcomes that are confirmed, refused or unknown; an API
// that may commit late what it did not answer; resolutions that a crash may
// undo as a whole if the intent names the object (queue.Intents); marks with
// generation, hints, version and SettleAt (queue.Marks); Shows that are
// requested and answered at different times; a commit that is one step; the
// sweep of intents that a crash left open. Its decisions are those of
// reconcile/decide.go and its merging that of queue/internal/mark.
//
// Each mechanism is a switch ([Options]). With any of them off, exploration
// must find a state that breaks a promise, or the mechanism would not be
// needed; with all of them on it must find none.
//
// # What is checked
//
//   - No invented event, and order: the states of the events are an ordered
//     subsequence of the states that the API had; no two in a row are equal;
//     the sequence has no gaps.
//   - No lost change, and convergence: when nothing is left to be done, the
//     last event has the state that the API shows; a create whose answer the
//     client has is not among the unresolved.
//   - Nothing hangs: from every state, a state can be reached in which nothing
//     is left to be done.
//
// # What is abstracted
//
//   - Time. A mark's SettleAt passes in the same step in which the API can no
//     longer commit the request late: upstream_timeout is assumed to be long
//     enough for that, and for replicas to show what was committed by then.
//     Waits (retries, due times) are left out: whatever is due may be done at
//     any time, also sooner than the code would. The two times after which a
//     contradiction is believed (lagFor, missingFor) are assumed to be longer
//     than everything else.
//   - States are numbered as the API commits them, so no state returns. In the
//     code, the hash alone decides what happens if one does (no event).
//   - Versions are the numbers of the states, in every Show and in every
//     confirmed answer.
//   - One object, one resource, one reconciling worker for it (leases are
//     exclusive; the queue must refuse the holder of a lost lease, which
//     queue/queuetest checks). An object that a create made has an id that
//     only the answer has; other requests name it.
//   - The model does not look at exchanges that never end again and again; an
//     open intent keeps them from being lost, which the model does check.
//   - Looks (watch, Shows that passed), aliases, touched objects and
//     deliveries are left out. Deliveries are committed with their event.
package model
