// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Forgets keeps what is known of objects from growing for good.
type Forgets interface {
	// Forget forgets objects that were found gone before a time, and other
	// names of such objects, with their callbacks. It keeps those that are
	// marked, if only to be looked at, and those that an open intent names.
	//
	// It looks at some thousand objects at most, in an order of the engine's
	// own, beginning after a key, and returns how many it has forgotten, and
	// after which key to go on: the zero key at the end.
	//
	// An object that comes back after that is one that nobody knows. Its
	// sequence goes on all the same, see [MarkLease.Floor].
	//
	// That is work for one process, see [Store.LeaseMaintenance].
	Forget(ctx context.Context, before time.Time, after event.Key) (forgotten int, next event.Key, err error)
}
