// SPDX-License-Identifier: Apache-2.0

// Package model explores the protocol by which changes become events: every
// order in which requests, their answers, Shows, commits, syncs and crashes can
// follow one another, for a few requests to one object. It is how the promises
// G1 to G5 are argued for; the tests of the real code then show that it does
// what the model does.
//
// The model has what the code has: intents that are durable before the API is
// asked; outcomes that are confirmed, refused or unknown; an API that commits
// late what it did not answer; resolutions that a crash may take back as a
// whole where the intent names the object (queue.Intents); marks with
// generation, hints, version and SettleAt (queue.Marks); Shows that are asked
// for and answered at different times; a commit that is one step; the sweep of
// intents that a crash left open. Its decisions are those of reconcile/decide.go
// and its merging that of queue/internal/mark.
//
// Each mechanism is a switch ([Options]). With any of them off, exploration
// must find a state that breaks a promise, or the mechanism would not be
// needed; with all of them on it must find none.
//
// # What is checked
//
//   - No invented event, and order: the states that events tell are an ordered
//     subsequence of the states that the API had; no two in a row are equal;
//     the sequence has no holes.
//   - No lost change, and convergence: when nothing is left to be done, the
//     last event tells what the API shows; a create whose answer the client has
//     is not among the unresolved.
//   - Nothing hangs: from every state, one can be reached in which nothing is
//     left to be done.
//
// # What is abstracted
//
//   - Time. A mark's SettleAt passes in the same step in which the API can no
//     longer commit late what was asked: upstream_timeout is taken to be long
//     enough for that, and for replicas to show what was committed by then.
//     Waiting times (retries, due times) are left out: whatever is due may be
//     done at any time, also sooner than the code would. The two times after
//     which a contradiction is believed (lagFor, missingFor) are taken to be
//     longer than everything else.
//   - States are numbered as the API commits them, so no state returns; what
//     happens when one does (no event) is decided by its hash alone.
//   - Versions are the numbers of the states, told by every Show and by every
//     confirmed answer.
//   - One object, one resource, one reconciling worker for it (leases are
//     exclusive; what a lost lease may do is the queue's to refuse, which
//     queue/queuetest checks). An object that a create made has an id that only
//     the answer tells; other requests name it.
//   - Exchanges that never end are not looked at again and again by the model;
//     an intent that is open keeps them from being lost, which it does check.
//   - Looks (watch, passive learning), aliases, touched objects and deliveries
//     are left out. Deliveries are committed with their event.
package model
