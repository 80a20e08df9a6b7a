// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"time"
)

// Unresolveds removes records of intents that were closed without their object.
// [History.Unresolved] lists them.
type Unresolveds interface {
	// DismissUnresolved forgets one record, durably. It fails with
	// [ErrNotFound] if there is none.
	DismissUnresolved(ctx context.Context, id IntentID) error

	// DismissUnresolvedBefore forgets, durably, the records of a resource, or
	// of all with "", that were closed before t, and returns how many there
	// were.
	DismissUnresolvedBefore(ctx context.Context, resource string, t time.Time) (int, error)
}
