// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// nothingDelivered is the epoch of endpoints while nothing is delivered to any: no later
// state can be missed, as whoever begins to deliver reads them first.
const nothingDelivered = math.MaxUint64

// applied is the epoch of the stored endpoints that deliveries go by.
type applied struct {
	mu      sync.Mutex
	epoch   uint64
	changed chan struct{} // closed with the next change
}

func newApplied() *applied {
	return &applied{epoch: nothingDelivered, changed: make(chan struct{})}
}

// note notes the epoch that deliveries go by from now on.
func (a *applied) note(epoch uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.epoch = epoch
	close(a.changed)
	a.changed = make(chan struct{})
}

// wait waits until deliveries go by an epoch, or a later one, or until there are none any
// more, which ended says.
func (a *applied) wait(ctx context.Context, epoch uint64, ended <-chan struct{}) error {
	for {
		a.mu.Lock()
		now, changed := a.epoch, a.changed
		a.mu.Unlock()
		if now >= epoch {
			return nil
		}
		select {
		case <-changed:
		case <-ended:
			return queue.ErrNotOpen
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Applied waits until deliveries go by the endpoints as they are stored now. Whoever has
// changed an endpoint waits for it before saying so: no attempt that begins later has
// the credentials, or the URL, of before.
func (p *Pipeline) Applied(ctx context.Context) error {
	s := p.open()
	if s == nil {
		return queue.ErrNotOpen
	}
	epoch, err := s.store.Epoch(ctx, queue.KindEndpoint)
	if err != nil {
		return fmt.Errorf("reading whether endpoints have changed: %w", err)
	}
	return s.applied.wait(ctx, epoch, s.followed)
}
