// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"fmt"

	"github.com/caddy-webhooks/caddy-webhooks/pipeline/snapshots"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
)

// newSnapshots returns what works on the snapshots that endpoints of a session begin with.
func (p *Pipeline) newSnapshots(s *session) *snapshots.Worker {
	return snapshots.New(snapshots.Options{
		Store: s.store, Reconciler: s.reconciler, Endpoints: s.directory, Log: p.env.Logger("snapshots"),
		Plan: func() *reconcile.Plan {
			if c := p.atWork.Load(); c != nil && p.Started() != nil {
				return &c.Plan
			}
			return nil
		},
		Replaying: func() { p.endpointsChanged(s) },
	})
}

// held returns the endpoints that are sent nothing yet: those that begin with older
// events, which would come after what happens now.
func (s *session) held() (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), endpointsTimeout)
	defer cancel()
	held, err := snapshots.Replaying(ctx, s.store)
	if err != nil {
		return nil, fmt.Errorf("reading what endpoints begin with: %w", err)
	}
	return held, nil
}
