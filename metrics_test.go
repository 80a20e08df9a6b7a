// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"io"
	"strings"
	"testing"
)

// What operators are told to alarm on is there before it happens.
func TestMetricsBeginAtZero(t *testing.T) {
	s := newStage(t)
	s.mustLoad(s.config("", "resource quiet {\ntenant owner\nnotify url request:hook\n}"))
	response := s.getAdmin("/metrics")
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`gaps_total{resource="quiet",what="intent"} 0`, `gaps_total{resource="quiet",what="mark"} 0`, `gaps_repaired_total{resource="quiet"} 0`,
		`unresolved_total{resource="quiet"} 0`, `conditions_failed_total{resource="quiet"} 0`, `ownerless_total{resource="quiet"} 0`,
		`callbacks_refused_total{resource="quiet"} 0`, `unmatched_requests_total `, `emitter_troubles_total{what="queue_failed"} `,
	} {
		if !strings.Contains(string(body), "caddy_webhooks_"+want) {
			t.Errorf("%s is not exported", want)
		}
	}
}
