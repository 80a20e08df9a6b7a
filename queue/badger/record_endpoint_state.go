// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

const endpointStateVersion = 1

// parseEndpointState decodes: status, reason, since, failing since, failures. The
// name stands in the key.
func parseEndpointState(name string, b []byte) (queue.EndpointState, error) {
	r := record.NewReader(b, endpointStateVersion)
	s := queue.EndpointState{
		Name:         name,
		Status:       queue.EndpointStatus(r.Text()),
		Reason:       r.Text(),
		Since:        r.Time(),
		FailingSince: r.Time(),
		Failures:     int(r.Uint()),
	}
	return s, r.End()
}
