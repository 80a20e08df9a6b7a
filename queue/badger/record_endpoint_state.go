// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

const endpointStateVersion = 1

// appendEndpointState encodes: status, reason, since, failing since, failures.
// The name stands in the key.
func appendEndpointState(b []byte, s *queue.EndpointState) []byte {
	b = append(b, endpointStateVersion)
	b = record.AppendText(b, s.Status)
	b = record.AppendText(b, s.Reason)
	b = record.AppendTime(b, s.Since)
	b = record.AppendTime(b, s.FailingSince)
	return binary.AppendUvarint(b, uint64(s.Failures))
}

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
