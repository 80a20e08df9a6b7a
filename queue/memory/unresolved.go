// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"context"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// DismissUnresolved implements [queue.Unresolveds].
func (s *Store) DismissUnresolved(ctx context.Context, id queue.IntentID) error {
	dismissed, err := s.dismiss(ctx, func(u *queue.Unresolved) bool { return u.ID == id })
	if err == nil && dismissed == 0 {
		return queue.ErrNotFound
	}
	return err
}

// DismissUnresolvedBefore implements [queue.Unresolveds].
func (s *Store) DismissUnresolvedBefore(ctx context.Context, resource string, t time.Time) (int, error) {
	return s.dismiss(ctx, func(u *queue.Unresolved) bool {
		return (resource == "" || resource == u.Resource) && u.At.Before(t)
	})
}

func (s *Store) dismiss(ctx context.Context, which func(u *queue.Unresolved) bool) (int, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	before := len(s.unresolved)
	s.unresolved = slices.DeleteFunc(s.unresolved, func(u queue.Unresolved) bool { return which(&u) })
	return before - len(s.unresolved), nil
}
