// SPDX-License-Identifier: Apache-2.0

package subscribers

import (
	"encoding/json"
	"fmt"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Sealer keeps what must not be read on a disk. [seal.Keyring] is one.
type Sealer interface {
	Seal(plain, associated []byte) []byte
	Open(sealed, associated []byte) (plain []byte, stale bool, err error)
}

// record returns an endpoint as it is stored. All of it is sealed: not only are there
// secrets, but URLs, headers and labels may hold what is one.
func record(e *Endpoint, sealer Sealer) (queue.Record, error) {
	plain, err := json.Marshal(e)
	if err != nil {
		return queue.Record{}, fmt.Errorf("encoding endpoint %s: %w", e.ID, err)
	}
	sealed := sealer.Seal(plain, bound(e.ID, e.Tenant))
	if len(sealed) > queue.MaxRecord {
		return queue.Record{}, wrong("", "use fewer headers and metadata", "the endpoint has %d bytes, and %d are possible", len(sealed), queue.MaxRecord)
	}
	return queue.Record{Kind: queue.KindEndpoint, ID: e.ID, Owner: e.Tenant, Version: e.Version, Value: sealed}, nil
}

// opened returns the endpoint that a record stores. Stale is true if it was sealed
// with an earlier key.
func opened(r queue.Record, sealer Sealer) (e Endpoint, stale bool, err error) {
	plain, stale, err := sealer.Open(r.Value, bound(r.ID, r.Owner))
	if err == nil {
		err = json.Unmarshal(plain, &e)
	}
	if err != nil {
		return Endpoint{}, false, fmt.Errorf("reading endpoint %s: %w", r.ID, err)
	}
	e.ID, e.Tenant, e.Version = r.ID, r.Owner, r.Version
	return e, stale, nil
}

// bound is what a sealed endpoint opens with: nobody can put it in the place of
// another, nor give it to another tenant.
func bound(id, tenant string) []byte {
	return fmt.Appendf(nil, "endpoint\x00%d:%s\x00%s", len(id), id, tenant)
}
