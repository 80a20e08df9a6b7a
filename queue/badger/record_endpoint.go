// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

const endpointStateVersion = 1

// appendEndpointState encodes: status, reason, since, failing since, failures.
// The name stands in the key.
func appendEndpointState(b []byte, s *queue.EndpointState) []byte {
	b = append(b, endpointStateVersion)
	b = appendText(b, s.Status)
	b = appendText(b, s.Reason)
	b = appendTime(b, s.Since)
	b = appendTime(b, s.FailingSince)
	return binary.AppendUvarint(b, uint64(s.Failures))
}

func parseEndpointState(name string, record []byte) (queue.EndpointState, error) {
	r := newReader(record, endpointStateVersion)
	s := queue.EndpointState{
		Name:         name,
		Status:       queue.EndpointStatus(r.text()),
		Reason:       r.text(),
		Since:        r.time(),
		FailingSince: r.time(),
		Failures:     int(r.uint()),
	}
	return s, r.end()
}
