// SPDX-License-Identifier: Apache-2.0

// Package deadline limits waiting for callers that come thousands of times a
// second: a context for each would cost a timer and memory every time.
package deadline

import (
	"context"
	"sync/atomic"
	"time"
)

// shares is the highest number of contexts at once: callers that come within
// this fraction of the timeout share one.
const shares = 20

// Pool makes contexts that end after a timeout. Use [New].
type Pool struct {
	parent  context.Context
	timeout time.Duration
	last    atomic.Pointer[shared]
}

// shared is a context that several callers have. It is never cancelled, as
// others may still use it: it ends at its deadline, or with the parent.
type shared struct {
	context.Context
	_ context.CancelFunc
}

// New returns a pool. Each caller's context ends after the timeout at most, and
// after 19 of its 20 parts at least. All contexts end with the parent.
func New(parent context.Context, timeout time.Duration) *Pool {
	return &Pool{parent: parent, timeout: timeout}
}

// Context returns a context for a caller that begins to wait now.
func (p *Pool) Context() context.Context {
	if last := p.last.Load(); last != nil {
		if deadline, _ := last.Deadline(); time.Until(deadline) > p.timeout-p.timeout/shares {
			return last.Context
		}
	}
	ctx, cancel := context.WithTimeout(p.parent, p.timeout) //nolint:gosec // G118: cancelling it would end the waiting of others.
	p.last.Store(&shared{ctx, cancel})
	return ctx
}
