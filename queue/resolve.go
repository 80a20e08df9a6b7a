// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"errors"
)

// Resolve resolves an intent as [Intents.ResolveIntent] does, in several steps
// where one cannot hold all marks. The last one closes the intent: a crash
// before it leaves some objects marked, and the intent that brings them back.
func Resolve(ctx context.Context, q Intents, id IntentID, resolution Resolution, durable bool) error {
	err := q.ResolveIntent(ctx, id, resolution, durable)
	half := len(resolution.Marks) / 2
	if half == 0 || !errors.Is(err, ErrTooLarge) {
		return err
	}
	if err := Resolve(ctx, q, 0, Resolution{Marks: resolution.Marks[:half]}, durable); err != nil {
		return err
	}
	resolution.Marks = resolution.Marks[half:]
	return Resolve(ctx, q, id, resolution, durable)
}
