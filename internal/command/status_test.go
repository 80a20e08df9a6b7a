// SPDX-License-Identifier: Apache-2.0

package command

import (
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// What a queue that was just opened does not know yet is not shown as none.
func TestPendingThatIsNotKnown(t *testing.T) {
	if got := pendingIn(new(queue.Stats)); got != notCounted {
		t.Errorf("got %v", got)
	}
	if got := pendingIn(&queue.Stats{PendingDeliveries: map[string]int{}}); got != 0 {
		t.Errorf("got %v", got)
	}
	if got := pendingIn(&queue.Stats{PendingDeliveries: map[string]int{"erp": 3, "crm": 4}}); got != 7 {
		t.Errorf("got %v", got)
	}
}
