// SPDX-License-Identifier: Apache-2.0

// Package patience bounds waiting, for callers who come thousands of times a
// second: a context of its own for each would cost a timer and memory every
// time.
package patience

import (
	"context"
	"sync/atomic"
	"time"
)

// shares is how many contexts there are at once, at most: those who come within
// a part of the bound share one.
const shares = 20

// Patience makes contexts that end after a bound. Use [New].
type Patience struct {
	all   context.Context
	bound time.Duration
	last  atomic.Pointer[shared]
}

// shared is a context that several callers have. Nobody frees it, as others may
// have it still: it ends by itself, or with all.
type shared struct {
	context.Context
	_ context.CancelFunc
}

// New returns a patience whose contexts end after a bound: at most, and at least
// after 19 of its 20 parts. All of them end with the given context.
func New(all context.Context, bound time.Duration) *Patience {
	return &Patience{all: all, bound: bound}
}

// Context returns the context of somebody who begins to wait now.
func (p *Patience) Context() context.Context {
	if last := p.last.Load(); last != nil {
		if deadline, _ := last.Deadline(); time.Until(deadline) > p.bound-p.bound/shares {
			return last.Context
		}
	}
	ctx, free := context.WithTimeout(p.all, p.bound) //nolint:gosec // G118: whoever freed it would end the waiting of others.
	p.last.Store(&shared{ctx, free})
	return ctx
}
