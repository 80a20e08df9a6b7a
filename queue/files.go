// SPDX-License-Identifier: Apache-2.0

package queue

// Names of files that others keep in the directory of a queue. An engine that
// keeps its own files there leaves these alone, also when it sets its own
// aside.
const (
	// KeyFile holds the key that secrets are sealed with where no other is
	// configured.
	KeyFile = "secrets.key"
	// GapsFile says of which resources something passed while the queue could
	// take nothing.
	GapsFile = "gaps"
	// JournalFile holds what exchanges have told while the queue was being
	// opened.
	JournalFile = "interim"
)
