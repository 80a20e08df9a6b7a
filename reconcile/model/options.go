// SPDX-License-Identifier: Apache-2.0

package model

// Options say what to explore. The zero Options have every mechanism on and no
// requests.
type Options struct {
	// Requests begin in this order, and overlap in any way.
	Requests []Kind
	// Exists is true if the API has the object before the first request, and
	// Known if its state is in a snapshot.
	Exists, Known bool
	// Crashes is how often the process may crash, at any moment.
	Crashes int
	// Lag is true if Shows may come from a replica that lags.
	Lag bool

	// Off switches mechanisms off.
	Off Off
	// LookAgain adds a mechanism that the code does not have. It would close
	// the gap that a 404 without a version leaves if replicas lag: on finding
	// an object gone, it remembers the newest version reported for it, takes no
	// older Show for a new life, and looks at the object once more when
	// replicas must have caught up.
	LookAgain bool
	// Ends is true to check the ends alone: the last event has the state that
	// the API shows, whatever earlier events had.
	Ends bool
}

// Off names the mechanisms that are switched off.
type Off struct {
	// Intent: requests are sent to the API without a durable intent, and the
	// change is marked when the request ends (M1).
	Intent bool
	// LastByte: the client has the last byte of the answer to a create before
	// the mark is durable (M1).
	LastByte bool
	// OneStep: the intent is closed in one step, and the object marked in the
	// next (M2).
	OneStep bool
	// Generation: a mark is cleared although another was merged into it while
	// Show was read (M3).
	Generation bool
	// OneCommit: the snapshot is committed in one step, and its event in the
	// next (M4).
	OneCommit bool
	// Settle: an unknown outcome is reconciled at once, and not again (M5).
	Settle bool
	// Unknown: an unknown outcome counts as unchanged (M5).
	Unknown bool
	// Freshness: versions are ignored. FreshnessOfAnswers ignores only the
	// versions in the answers to writes.
	Freshness, FreshnessOfAnswers bool
	// Newest: of two versions in answers, the mark keeps the last one to come,
	// not the newest.
	Newest bool
	// Proof: a Show of 404 is a delete, whether or not one was requested.
	Proof bool
}
