// SPDX-License-Identifier: Apache-2.0

// Package queue says what the durable queue must do. Everything in the module
// passes through it: the handler notes intents and resolves them into marks,
// reconcile leases marks and commits what it found, the emitter leases
// deliveries and records attempts. Each verb is atomic, and none leaks how an
// engine stores what it keeps.
//
// An engine serves one process at a time, or several at once. Leases end when
// their time has passed, or with their process; everything else outlives it. So
// the work that a crash interrupts is found again, by the next process or by
// another one.
//
// All times are of the caller's clock. An engine whose processes have clocks of
// their own translates between them.
//
// The suite in queuetest holds an engine to these words.
package queue

import (
	"context"
	"time"
)

// Store is an open queue. Its users each ask for the part they need. What an
// engine may lack is in interfaces of its own: [Spacer], [Trimmer], [Backuper],
// [Staller], [Recoverer].
type Store interface {
	Intents
	Unresolveds
	Marks
	Objects
	Forgets
	Introductions
	Deliveries
	Operations
	Records
	History
	Feed
	Filtereds

	// Instance returns the queue's identity. It is made when the queue is first
	// opened and never changes.
	Instance() Instance

	// LeaseMaintenance reports whether this process holds the work of a name,
	// which one process does for all: trimming, forgetting, expiring, sweeping.
	// It holds that work for d from now, and longer if it calls again before
	// then. With an engine of one process, it always holds it while the queue is
	// open.
	LeaseMaintenance(ctx context.Context, name string, d time.Duration) (held bool, err error)

	// Configure changes how the queue is kept from now on. Events older than a
	// shorter retention are gone at once, or with all of their day, where an engine
	// keeps history in days.
	Configure(settings Settings)

	// Close ends all waiting calls with [ErrClosed], makes what was
	// acknowledged durable, and releases the engine. It is idempotent.
	Close() error
}

// Instance identifies a queue and keys its hashes.
type Instance struct {
	// ID is random; it makes event ids unique across queues.
	ID [16]byte
	// HashKey is random and secret; snapshots hold Shows only as hashes made
	// with it.
	HashKey [32]byte
}
