// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Forgets keeps the known objects from growing without end.
type Forgets interface {
	// Forget forgets objects that were found gone before a time, and other
	// names of such objects, with their callbacks. It keeps those that are
	// marked, if only to be looked at, and those that an open intent names.
	//
	// Forget looks at some thousand objects at most, in an order of the engine's
	// own, beginning after a key. It returns how many it has forgotten, and the
	// key after which to go on: the zero key at the end.
	//
	// A forgotten object that comes back is unknown. Its sequence goes on all the
	// same, see [MarkLease.Floor].
	//
	// Forgetting is work for one process, see [Store.LeaseMaintenance].
	Forget(ctx context.Context, before time.Time, after event.Key) (forgotten int, next event.Key, err error)
}
