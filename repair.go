// SPDX-License-Identifier: Apache-2.0

package webhooks

import "github.com/caddy-webhooks/caddy-webhooks/queue"

// repair is a resolution that the queue could not take. It is offered again
// until the queue takes it (see gaps).
type repair struct {
	resource   string
	intent     queue.IntentID
	resolution queue.Resolution
}
