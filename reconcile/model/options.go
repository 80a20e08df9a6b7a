// SPDX-License-Identifier: Apache-2.0

package model

// Options say what is explored. The zero Options have every mechanism on and
// no requests.
type Options struct {
	// Requests begin in this order, and overlap in any way.
	Requests []Kind
	// Exists is true where the API has the object before the first request, and
	// Known where its state is in a snapshot.
	Exists, Known bool
	// Crashes is how often the process may end at any moment.
	Crashes int
	// Lag is true where Shows may come from a replica that is behind.
	Lag bool

	// Off takes mechanisms away.
	Off Off
	// LookAgain adds one that the code does not have, and that would close the
	// gap which a 404 without a version leaves where replicas lag: whoever finds
	// an object gone remembers the newest version that was told of it, takes no
	// older Show for a new life, and looks at it once more when replicas must
	// have caught up.
	LookAgain bool
	// Ends is true where only the ends are of interest: the last event tells
	// what the API shows, whatever was told on the way.
	Ends bool
}

// Off names the mechanisms that are taken away.
type Off struct {
	// Intent: the API is asked without a durable intent, and what a request
	// changed is marked when it ends (M1).
	Intent bool
	// LastByte: the client has the last byte of the answer to a create before
	// the mark is durable (M1).
	LastByte bool
	// OneStep: the intent is closed in one step, and the object marked in the
	// next (M2).
	OneStep bool
	// Generation: a mark is cleared though another was merged into it while
	// Show was read (M3).
	Generation bool
	// OneCommit: the snapshot is committed in one step, and its event in the
	// next (M4).
	OneCommit bool
	// Settle: what ended unknown is reconciled at once, and not again (M5).
	Settle bool
	// Unknown: what ended unknown counts as unchanged (M5).
	Unknown bool
	// Freshness: versions are ignored. With FreshnessOfAnswers, only those that
	// the answers to writes told are.
	Freshness, FreshnessOfAnswers bool
	// Newest: of two versions that answers told, the mark keeps the one that
	// came last, and not the newest.
	Newest bool
	// Proof: a Show of 404 is a delete, whether or not one was asked for.
	Proof bool
}
