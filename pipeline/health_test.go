// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"slices"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
)

// Health tells of resources without a single Show, and not of those that have some.
func TestShowsProblems(t *testing.T) {
	since := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	got := showsProblems([]Shows{
		{Resource: "carts", Status: reconcile.ShowsActive},
		{Resource: "items", Show: "GET /items/:id", Status: reconcile.ShowsFailing, Since: since, Reason: "Show was answered with 502"},
		{Resource: "users", Status: reconcile.ShowsRetrying, Since: since, Reason: "Show was answered with 404"},
	})
	want := []string{"the Shows of items (GET /items/:id) are failing since 2026-03-04T05:06:07Z: Show was answered with 502"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
