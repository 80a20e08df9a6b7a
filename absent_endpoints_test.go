// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/retention"
)

// The running module ends what waits for a paused endpoint and for one that is
// not configured any more, tells operators so, and leaves the others alone.
func TestAbsentEndpoints(t *testing.T) {
	s, m := newStage(t), newMoody(t)
	endpoint := func(name string) string {
		return "\nendpoint " + name + " " + m.URL + " {\nsecret {env.TEST_SECRET}\nretry 1h\n}"
	}
	s.mustLoad(s.config(endpoint("erp")+endpoint("crm")+endpoint("old")+"\nretention 2h 256MiB", ""))
	for _, name := range []string{"erp", "crm", "old"} {
		s.post("/webhooks/endpoints/" + name + "/pause")
	}
	for range 4 {
		s.put("/items/1", fmt.Sprintf(`{"id":"1","n":%d}`, time.Now().UnixNano()))
		s.put("/items/2", fmt.Sprintf(`{"id":"2","n":%d}`, time.Now().UnixNano()))
	}
	s.until("/webhooks/marks", "items:[]")
	m.answer(500)
	s.post("/webhooks/endpoints/crm/resume")
	s.until("/webhooks/attempts?endpoint=crm", "code:500")
	s.mustLoad(s.config(endpoint("erp")+endpoint("crm")+"\nretention 2h 256MiB", ""))
	s.until("/webhooks/endpoints", "status:gone")

	// The pipeline's own keeper works at the same time, and has nothing to do.
	store, size := running(t).Queue(), uint64(0)
	work := retention.NewKeeper(retention.Options{
		Settings: func() retention.Settings { return retention.Settings{Age: 2 * time.Hour, Size: size} },
		Tables: func() int64 {
			tables, _, _ := queue.FilerOf(running(t).Engine()).DiskUsage()
			return tables
		},
		Receives: running(t).Emitter().Receives,
		Metrics:  counted, Logger: zap.NewNop(), ExpiryLogger: zap.NewNop(),
	})
	pending := func() map[string]int {
		stats, err := store.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return stats.PendingDeliveries
	}
	before := pending()
	now := time.Now()
	work.Step(t.Context(), store, now)
	work.Step(t.Context(), store, now.Add(10*time.Minute))
	if fmt.Sprint(pending()) != fmt.Sprint(before) || before["crm"] == 0 || before["erp"] == 0 || before["old"] == 0 {
		t.Fatalf("pending are %v, were %v", pending(), before)
	}

	// The queue is larger than it may be, and grows.
	size = 1
	work.Step(t.Context(), store, now.Add(10*time.Minute))
	filler := filepath.Join(s.dir, "filler.sst")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	work.Step(t.Context(), store, now.Add(10*time.Minute))
	by := pending()
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	quarter := func(n int) int { return n - (n+3)/4 }
	if by["crm"] != before["crm"] || by["erp"] != quarter(before["erp"]) || by["old"] != quarter(before["old"]) {
		t.Errorf("pending are %v, were %v", by, before)
	}
	size = 0

	work.Step(t.Context(), store, now.Add(3*time.Hour))
	if got := pending(); len(got) != 1 || got["crm"] != before["crm"] {
		t.Errorf("pending are %v, were %v", got, before)
	}
	if got := work.Expired(); got["erp"] != before["erp"] || got["old"] != before["old"] || got["crm"] != 0 {
		t.Errorf("expired are %v, pending were %v", got, before)
	}
	s.until("/webhooks/deliveries?endpoint=old&status=dead", "items/1")

	// An endpoint that returns gets what is found from then on.
	m.answer(200)
	s.post("/webhooks/endpoints/erp/resume")
	s.put("/items/3", `{"id":"3","n":1}`)
	s.until("/webhooks/deliveries?endpoint=erp&status=delivered", "items/3")
}
