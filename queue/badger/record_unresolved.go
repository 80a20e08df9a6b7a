// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

// unresolvedVersion N holds an intent's fields as intentVersion N does.
const unresolvedVersion = 3

// appendUnresolved encodes: the intent's fields, reason, at.
func appendUnresolved(b []byte, u *queue.Unresolved) []byte {
	b = append(b, unresolvedVersion)
	b = record.AppendIntent(b, &u.Intent)
	b = record.AppendText(b, u.Reason)
	return record.AppendTime(b, u.At)
}

func parseUnresolved(id queue.IntentID, b []byte) (queue.Unresolved, error) {
	r := record.NewReader(b, unresolvedVersion)
	u := queue.Unresolved{Intent: r.Intent(id), Reason: r.Text(), At: r.Time()}
	u.Callback = bytes.Clone(u.Callback)
	return u, r.End()
}
