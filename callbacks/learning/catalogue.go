// SPDX-License-Identifier: Apache-2.0

package learning

import (
	"context"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Catalogue is what a configuration knows of the types of its events, and learns of them.
// The zero Catalogue knows nothing.
type Catalogue struct {
	begun atomic.Pointer[begun]
}

type begun struct {
	types   *catalogue.Types
	learner *Learner
}

// Begin has it know types, and learn from their events until Stop. Store returns the open
// queue, nil while it is not open.
func (c *Catalogue) Begin(types *catalogue.Types, store func() queue.Store, log *zap.Logger) {
	b := &begun{types, New(types.Made(), store, time.Now, log)}
	b.learner.Start()
	c.begun.Store(b)
}

// Stop writes what was learned, and ends the learning. It is idempotent.
func (c *Catalogue) Stop() {
	if b := c.begun.Load(); b != nil {
		b.learner.Stop()
	}
}

// Types returns the types, nil before they are known.
func (c *Catalogue) Types() *catalogue.Types {
	if b := c.begun.Load(); b != nil {
		return b.types
	}
	return nil
}

// See is [Learner.See].
func (c *Catalogue) See(e *event.Event) {
	if b := c.begun.Load(); b != nil {
		b.learner.See(e)
	}
}

// Schema is [Learner.Schema].
func (c *Catalogue) Schema(ctx context.Context, made []catalogue.Made) (catalogue.Schema, error) {
	if b := c.begun.Load(); b != nil {
		return b.learner.Schema(ctx, made)
	}
	return catalogue.Schema{}, queue.ErrNotOpen
}
