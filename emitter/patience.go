// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"sync/atomic"
	"time"
)

// sharedPatience is for how long calls to the queue share a context.
const sharedPatience = recordTimeout / 20

// patience bounds how long calls to the queue are waited for: at most
// recordTimeout, and at least sharedPatience less than that. Calls that begin
// within sharedPatience share a context, as one for each call costs a timer
// and memory for every attempt.
type patience struct {
	// all is done when the dispatcher has ended, and so is every context that
	// was shared.
	all  context.Context
	last atomic.Pointer[shared]
}

// shared is a context that several calls have. Nobody frees it, as others may
// have it still: it ends by itself, or with all.
type shared struct {
	context.Context
	_ context.CancelFunc
}

// context returns the context of a call that begins now.
func (p *patience) context() context.Context {
	if last := p.last.Load(); last != nil {
		if deadline, _ := last.Deadline(); time.Until(deadline) > recordTimeout-sharedPatience {
			return last.Context
		}
	}
	ctx, free := context.WithTimeout(p.all, recordTimeout) //nolint:gosec // G118: whoever freed it would end the calls of others.
	p.last.Store(&shared{ctx, free})
	return ctx
}
