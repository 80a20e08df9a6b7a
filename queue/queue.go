// SPDX-License-Identifier: Apache-2.0

// Package queue says what the durable queue must do. Everything in the module
// passes through it: the handler notes intents and resolves them into marks,
// reconcile leases marks and commits what it found, the emitter leases
// deliveries and records attempts. Each verb is atomic, and none leaks how an
// engine stores what it keeps.
//
// Work that a crash interrupts is found again by the engine's next start:
// leases live no longer than the process, everything else does.
//
// The suite in queuetest holds an engine to these words.
package queue

// Store is an open queue. Its users each ask for the part they need. What an
// engine may lack is in interfaces of its own: [Spacer], [Trimmer], [Backuper],
// [Staller], [Recoverer].
type Store interface {
	Intents
	Unresolveds
	Marks
	Objects
	Forgets
	Deliveries
	Operations
	EndpointStates
	History

	// Instance returns what tells this queue from any other. It is made when
	// the queue is first opened and never changes.
	Instance() Instance

	// Configure changes how the queue is kept from now on. Events older than a
	// shorter retention are gone at once.
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
