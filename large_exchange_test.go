// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// However many objects a request names, by however long ids and on however long a
// path, all of them are marked.
func TestLargeExchange(t *testing.T) {
	e := newEngine(t.TempDir())
	app := &App{dir: e.dir, engine: e}
	store, err := e.open(t.Context(), app)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Destruct(); err != nil {
			t.Error(err)
		}
	}()
	h := handlerFor(t, app, &syntax.Resource{Name: "items", ID: []string{"request:ids"}, Rules: []*syntax.Rule{
		{Kind: event.KindUpdate, Methods: []string{"POST"}, Path: "/:x/items"},
	}})
	ids := make([]string, rules.MaxKeys)
	for i := range ids {
		ids[i] = fmt.Sprintf(`"%0*d"`, event.MaxPartLength, i)
	}
	h.Capture = 16 << 20
	path := "/" + strings.Repeat("x", 100_000) + "/items"
	if _, err := send(h, http.MethodPost, path, `{"ids":[`+strings.Join(ids, ",")+`]}`, answers(200, nil, "{}")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all are marked", func() bool {
		stats, err := store.Stats(t.Context())
		return err == nil && stats.Marks == rules.MaxKeys
	})
	if stats, err := store.Stats(t.Context()); err != nil || stats.OpenIntents != 0 || e.gaps.waiting() {
		t.Errorf("%+v, %v, with the gaps %+v", stats, err, e.gaps.list())
	}
	lease, err := store.LeaseMark(t.Context(), "items", time.Hour)
	if err != nil || lease.Cause.Path != path[:event.MaxPathLength] {
		t.Errorf("a cause has %d bytes of the path, %v", len(lease.Cause.Path), err)
	}
}

// tiny is a queue in which some marks do not fit.
type tiny struct{ queue.Store }

func (q tiny) ResolveIntent(ctx context.Context, id queue.IntentID, resolution queue.Resolution, durable bool) error {
	for i := range resolution.Marks {
		if len(resolution.Marks[i].Key.ID) > 10 {
			return queue.ErrTooLarge
		}
	}
	return q.Store.ResolveIntent(ctx, id, resolution, durable)
}

// What does not fit in the queue does not hold up what is kept behind it, and has
// its resource looked at.
func TestKeptTooLarge(t *testing.T) {
	store := memory.New(time.Now)
	defer store.Close()
	g := newGaps(t.TempDir(), liveLogger("test"))
	g.adopt()
	defer g.close()
	for _, id := range []string{"1", strings.Repeat("x", 11), "2"} {
		g.keep(t.Context(), repair{resource: "items", resolution: queue.Resolution{Marks: []queue.Mark{{Key: event.Key{Resource: "items", ID: id}}}}})
	}
	g.repair(t.Context(), tiny{store}, func(string) (repaired, bool) { return repaired{}, false })
	if stats, err := store.Stats(t.Context()); err != nil || stats.Marks != 2 || len(g.kept) != 0 {
		t.Errorf("%+v, %v; %d are kept", stats, err, len(g.kept))
	}
	if gaps := g.list(); len(gaps) != 1 || gaps[0].Resource != "items" || !gaps[0].whole {
		t.Errorf("the gaps are %+v", gaps)
	}
}
