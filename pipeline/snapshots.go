// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
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
	})
}
