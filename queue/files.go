// SPDX-License-Identifier: Apache-2.0

package queue

// Names of files in [Engine.Dir] that are not the engine's. An engine with files
// of its own there leaves these alone, also when it sets its own aside.
const (
	// KeyFile holds the key that seals secrets where no other is configured.
	KeyFile = "secrets.key"
	// GapsFile names the resources of exchanges that passed while the queue could
	// take nothing.
	GapsFile = "gaps"
	// JournalFile holds the intents of exchanges that passed while the queue was
	// being opened, and what became of them.
	JournalFile = "interim"
)
