// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// However many objects a request names, by however long ids and on however long a
// path, all of them are marked.
func TestLargeExchange(t *testing.T) {
	// Marking all of them may take longer than an exchange waits for a disk.
	env := silent()
	env.DiskTimeout = time.Hour
	p := newPipeline(t, env, nil)
	store := opened(t, p)
	watcher := watching(t, p, &syntax.Resource{Name: "items", ID: []string{"request:ids"}, Rules: []*syntax.Rule{
		{Kind: event.KindUpdate, Methods: []string{"POST"}, Path: "/:x/items"},
	}})
	ids := make([]string, rules.MaxKeys)
	for i := range ids {
		ids[i] = fmt.Sprintf(`"%0*d"`, event.MaxPartLength, i)
	}
	path := "/" + strings.Repeat("x", 100_000) + "/items"
	if _, err := send(watcher, http.MethodPost, path, `{"ids":[`+strings.Join(ids, ",")+`]}`, answers(200, "{}")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all are marked", func() bool {
		stats, err := store.Stats(t.Context())
		return err == nil && stats.Marks == rules.MaxKeys
	})
	if stats, err := store.Stats(t.Context()); err != nil || stats.OpenIntents != 0 || p.Intake.Unrepaired() {
		t.Errorf("%+v, %v, with the gaps %+v", stats, err, p.Intake.Gaps())
	}
	lease, err := store.LeaseMark(t.Context(), "items", time.Hour)
	if err != nil || lease.Cause.Path != path[:event.MaxPathLength] {
		t.Errorf("a cause has %d bytes of the path, %v", len(lease.Cause.Path), err)
	}
}
