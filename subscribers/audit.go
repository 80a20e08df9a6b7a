// SPDX-License-Identifier: Apache-2.0

package subscribers

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// KindAudit is the kind of the records of who changed what.
const KindAudit = "audit"

// DefaultAuditFor is how long they are kept by default.
const DefaultAuditFor = 90 * 24 * time.Hour

// Audited is who changed what, when, and from where. It names what was changed, and
// never says from or to what.
type Audited struct {
	At time.Time `json:"at"`
	// Who is the caller, as authentication knows it.
	Who string `json:"who"`
	// By is which operator it was, of those who have names. Operators alone are told it.
	By string `json:"by,omitempty"`
	// Action is what was done, as "endpoint.create", and Object what it was done to.
	Action string `json:"action"`
	Object string `json:"object,omitempty"`
	// Changed are the members that were given.
	Changed []string `json:"changed,omitempty"`
	// From is the address of the request.
	From string `json:"from"`
}

// Record returns the record of something that was done to what a tenant has. It is to
// be written in the same step, and lists are newest first.
func (a *Audited) Record(tenant string, keep time.Duration) (queue.Record, error) {
	value, err := json.Marshal(a)
	return queue.Record{
		Kind: KindAudit, ID: fmt.Sprintf("%016x%s", math.MaxInt64-a.At.UnixNano(), strings.ToLower(rand.Text()[:10])), Owner: tenant,
		Value: value, Expires: a.At.Add(keep),
	}, err
}

// AuditedOf is the inverse of [Audited.Record].
func AuditedOf(record queue.Record) (a Audited, err error) {
	if err := json.Unmarshal(record.Value, &a); err != nil {
		return a, fmt.Errorf("reading who changed what: %w", err)
	}
	return a, nil
}
