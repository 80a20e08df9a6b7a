// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"time"
)

// maxUnplaced limits how many objects are being reconciled that the API has answered, and
// that wait for the queue: each has its Show in memory, of 4 MiB at most.
const maxUnplaced = 256

// place is a place of a [Limit], given back once.
type place struct {
	begun time.Time
	// back gives it back, nil once that is done.
	back func(answered bool, took time.Duration)
}

// giveBack returns the place, unless it was returned before.
func (p *place) giveBack(answered bool, now time.Time) {
	if p.back != nil {
		p.back(answered, now.Sub(p.begun))
		p.back = nil
	}
}

// unplace gives a place back once the API has answered, as what is left to do needs the
// queue alone. If too many do that already, the place is kept until one of them is done.
// The caller calls done when all is done.
func (r *Reconciler) unplace(ctx context.Context, p *place, answered bool) (done func()) {
	took := r.now()
	select {
	case r.unplaced <- struct{}{}:
		p.giveBack(answered, took)
		return func() { <-r.unplaced }
	case <-ctx.Done():
		return func() {}
	}
}
