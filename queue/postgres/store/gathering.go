// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"sync"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// gathering has callers share one transaction: what comes while others are on their way to
// the database goes with the next one.
type gathering[T any] struct {
	given chan T
	// most is how many go together.
	most int

	// mu is held for reading by those who give something. So after end, nobody does.
	mu    sync.RWMutex
	over  bool
	ended chan struct{}
}

// gatherers is how many transactions of a kind are on their way at once: while the database
// syncs one, the next one is on the line.
const gatherers = 2

// gather starts a gathering. Work gets what has come together, and tells each how it went.
func gather[T any](s *Store, most int, work func(all []T)) *gathering[T] {
	g := &gathering[T]{given: make(chan T, most), most: most, ended: make(chan struct{})}
	for range gatherers {
		s.run(func() {
			for all := g.next(); len(all) > 0; all = g.next() {
				work(all)
			}
		})
	}
	return g
}

// next waits for something, and takes what else is there; nothing after the end.
func (g *gathering[T]) next() (all []T) {
	select {
	case one := <-g.given:
		all = append(all, one)
	case <-g.ended:
	}
	for len(all) < g.most {
		select {
		case one := <-g.given:
			all = append(all, one)
		default:
			return all
		}
	}
	return all
}

// give hands something over.
func (g *gathering[T]) give(ctx context.Context, one T) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.over {
		return queue.ErrClosed
	}
	select {
	case g.given <- one:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end has what was given done, and takes nothing more.
func (g *gathering[T]) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.over {
		g.over = true
		close(g.ended)
	}
}
