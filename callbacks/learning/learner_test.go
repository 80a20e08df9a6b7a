// SPDX-License-Identifier: Apache-2.0

package learning

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

// made returns a type that a resource makes.
func made(t interface{ Fatal(args ...any) }, resource, name string, hide ...string) catalogue.Made {
	template, err := event.ParseTemplate(name)
	if err != nil {
		t.Fatal(err)
	}
	projection, err := event.NewProjection(hide, nil)
	if err != nil {
		t.Fatal(err)
	}
	return catalogue.Made{Resource: resource, Type: template, Projection: projection}
}

// counting is a store that counts what is written, and can fail.
type counting struct {
	queue.Store
	writes atomic.Int64
	fails  atomic.Bool
	// before, if not nil, is called once, right before a change.
	before func()
}

func (s *counting) Change(ctx context.Context, changes ...queue.Record) (uint64, error) {
	if s.fails.Load() {
		return 0, queue.ErrDisk
	}
	if before := s.before; before != nil {
		s.before = nil
		before()
	}
	s.writes.Add(1)
	return s.Store.Change(ctx, changes...)
}

func newStore() *counting { return &counting{Store: memory.New(time.Now)} }

func learnerOf(store *counting, all ...catalogue.Made) *Learner {
	return New(all, func() queue.Store { return store }, time.Now, zap.NewNop())
}

func seen(resource, name, payload string) *event.Event {
	return &event.Event{Type: name, Key: event.Key{Resource: resource, ID: "1"}, Payload: []byte(payload), ContentType: "application/json"}
}

// schema returns what is known, as JSON Schema.
func schema(t *testing.T, l *Learner, all ...catalogue.Made) string {
	t.Helper()
	known, err := l.Schema(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	return string(known.Strict())
}

// What was seen is known at once, is written some seconds later, only if it widens, and
// outlives the process.
func TestLearning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, items := newStore(), made(t, "items", "items.updated")
		l := learnerOf(store, items)
		l.Start()
		for range 10 {
			l.See(seen("items", "items.updated", `{"id":1}`))
		}
		synctest.Wait()
		const want = `{"additionalProperties":false,"properties":{"id":{"type":"integer"}},"required":["id"],"type":"object"}`
		if got := schema(t, l, items); got != want || store.writes.Load() != 0 {
			t.Errorf("at once: %s, %d writes", got, store.writes.Load())
		}
		time.Sleep(writeEvery)
		synctest.Wait()
		if store.writes.Load() != 1 {
			t.Errorf("%d writes", store.writes.Load())
		}
		l.See(seen("items", "items.updated", `{"id":2}`))
		l.See(seen("items", "items.updated", `<id/>`))
		time.Sleep(10 * writeEvery)
		synctest.Wait()
		if store.writes.Load() != 1 {
			t.Errorf("%d writes of what was known", store.writes.Load())
		}
		l.See(seen("items", "items.updated", `{"id":null,"name":"x"}`))
		l.Stop()
		l.Stop()
		next := learnerOf(store, items)
		if got := schema(t, next, items); !strings.Contains(got, `"name"`) || store.writes.Load() != 2 {
			t.Errorf("after a restart: %s, %d writes", got, store.writes.Load())
		}
	})
}

// Events of types that have values of the Show in their names count for the type as the
// rules have it; those of another resource do not.
func TestSubjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		state, other := made(t, "items", "items.state.{state}"), made(t, "users", "items.state.{state}")
		l := learnerOf(store, state, other)
		l.Start()
		defer l.Stop()
		l.See(seen("items", "items.state.paid", `{"a":1}`))
		l.See(seen("items", "items.state.sent", `{"b":1}`))
		l.See(seen("users", "items.state.sent", `{"c":1}`))
		l.See(seen("items", "items.other", `{"d":1}`))
		synctest.Wait()
		if got := schema(t, l, state); strings.Count(got, `"type":"integer"`) != 2 || strings.Contains(got, `"c"`) {
			t.Errorf("got %s", got)
		}
		if got := schema(t, l, state, other); strings.Count(got, `"type":"integer"`) != 3 {
			t.Errorf("together: %s", got)
		}
	})
}

// What is hidden later leaves the schema at once, and the record when the next
// configuration begins; so do types that are made no more.
func TestHiddenLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		before, gone := made(t, "items", "items.updated"), made(t, "users", "users.updated")
		l := learnerOf(store, before, gone)
		l.Start()
		l.See(seen("items", "items.updated", `{"id":1,"canary":"4111"}`))
		l.See(seen("users", "users.updated", `{"id":1}`))
		l.Stop()
		after := made(t, "items", "items.updated", "canary")
		next := learnerOf(store, after)
		if got := schema(t, next, after); got != "{}" {
			t.Errorf("at once: %s", got)
		}
		next.Start()
		time.Sleep(writeEvery)
		synctest.Wait()
		if kept, _, err := store.Records(t.Context(), Kind, queue.Page{}); err != nil || len(kept) != 0 {
			t.Errorf("kept %+v, %v", kept, err)
		}
		// The old configuration may end after that, with a last word.
		_, err := store.Change(t.Context(), queue.Record{Kind: Kind, ID: before.ID(), Version: queue.AnyVersion, Value: learned(t, `{"canary":1}`).Encode(before.Projection)})
		if err != nil {
			t.Fatal(err)
		}
		if got := schema(t, next, after); got != "{}" {
			t.Errorf("after a last word: %s", got)
		}
		next.See(seen("items", "items.updated", `{"id":1}`))
		next.Stop()
		kept, _, err := store.Records(t.Context(), Kind, queue.Page{})
		if err != nil || len(kept) != 1 || strings.Contains(string(kept[0].Value), "canary") {
			t.Errorf("kept %+v, %v", kept, err)
		}
	})
}

func learned(t interface{ Fatal(args ...any) }, payload string) catalogue.Schema {
	s, err := catalogue.Infer([]byte(payload), event.Projection{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Two processes widen one record, and lose nothing of each other's.
func TestTwoProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, items := newStore(), made(t, "items", "items.updated")
		a, b := learnerOf(store, items), learnerOf(store, items)
		a.Start()
		b.Start()
		for n := range 8 {
			a.See(seen("items", "items.updated", fmt.Sprintf(`{"a%d":1}`, n)))
			b.See(seen("items", "items.updated", fmt.Sprintf(`{"b%d":1}`, n)))
			time.Sleep(writeEvery)
			synctest.Wait()
		}
		a.Stop()
		b.Stop()
		if got := schema(t, learnerOf(store, items), items); strings.Count(got, "integer") != 16 {
			t.Errorf("got %s", got)
		}
	})
}

// What another process has written between our reading and writing is not lost.
func TestWrittenMeanwhile(t *testing.T) {
	store, items := newStore(), made(t, "items", "items.updated")
	store.before = func() {
		_, err := store.Store.Change(t.Context(), queue.Record{Kind: Kind, ID: items.ID(), Value: learned(t, `{"theirs":1}`).Encode(items.Projection)})
		if err != nil {
			t.Error(err)
		}
	}
	l := learnerOf(store, items)
	l.Start()
	l.See(seen("items", "items.updated", `{"ours":1}`))
	l.Stop()
	if got := schema(t, learnerOf(store, items), items); !strings.Contains(got, "theirs") || !strings.Contains(got, "ours\":{\"type") {
		t.Errorf("got %s", got)
	}
}

// A queue that is closed or fails costs nothing but time.
func TestQueueFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, items := newStore(), made(t, "items", "items.updated")
		var isOpen atomic.Bool
		l := New([]catalogue.Made{items}, func() queue.Store {
			if !isOpen.Load() {
				return nil
			}
			return store
		}, time.Now, zap.NewNop())
		if _, err := l.Schema(t.Context(), []catalogue.Made{items}); err == nil {
			t.Error("a closed queue knows something")
		}
		l.Start()
		l.See(seen("items", "items.updated", `{"id":1}`))
		time.Sleep(writeEvery)
		store.fails.Store(true)
		isOpen.Store(true)
		time.Sleep(writeEvery)
		store.fails.Store(false)
		time.Sleep(2 * writeEvery)
		synctest.Wait()
		if store.writes.Load() != 1 {
			t.Errorf("%d writes", store.writes.Load())
		}
		l.Stop()
	})
}

// However many events come, few are looked at, and nobody waits: a type takes its share and
// no more, and with nobody at work, the list fills up and no more is taken.
func TestShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, hot, rare := newStore(), made(t, "items", "items.updated"), made(t, "items", "items.created")
		l := learnerOf(store, hot, rare)
		for n := range 100_000 {
			l.See(seen("items", "items.updated", fmt.Sprintf(`{"a%d":1}`, n)))
		}
		if n := len(l.offers); n != eachBurst {
			t.Errorf("%d of a hot type wait", n)
		}
		l.See(seen("items", "items.created", `{"rare":1}`))
		l.See(seen("items", "items.created", `{"large":"`+strings.Repeat("x", MaxPayload)+`"}`))
		l.Start()
		synctest.Wait()
		if got := schema(t, l, rare); !strings.Contains(got, "rare") || strings.Contains(got, "large") {
			t.Errorf("got %s", got)
		}
		l.Stop()
		idle := learnerOf(store, hot)
		for range 10 * maxWaiting {
			time.Sleep(eachEvery)
			idle.See(seen("items", "items.updated", `{}`))
		}
		if len(idle.offers) != maxWaiting {
			t.Errorf("%d wait", len(idle.offers))
		}
	})
}

// Whatever was seen fits what is known of it, also after a restart.
func TestWhatWasSeenFits(t *testing.T) {
	value := rapid.Custom(func(t *rapid.T) any {
		return rapid.SampledFrom([]any{nil, 1, 1.5, "x", true, []any{}, []any{1, "x"}, map[string]any{}, map[string]any{"a": 1, "b": []any{nil}}}).Draw(t, "value")
	})
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			store, items := newStore(), made(rt, "items", "items.updated")
			l := learnerOf(store, items)
			l.Start()
			var all [][]byte
			for range rapid.IntRange(1, 10).Draw(rt, "count") {
				object := rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c"}), value, 0, 3).Draw(rt, "object")
				text, err := json.Marshal(object)
				if err != nil {
					rt.Fatal(err)
				}
				all = append(all, text)
				l.See(seen("items", "items.updated", string(text)))
				if rapid.Bool().Draw(rt, "restart") {
					l.Stop()
					l = learnerOf(store, items)
					l.Start()
				}
			}
			l.Stop()
			known, err := learnerOf(store, items).Schema(t.Context(), []catalogue.Made{items})
			if err != nil {
				rt.Fatal(err)
			}
			compiled, err := catalogue.Compile(known.Strict())
			if err != nil {
				rt.Fatal(err)
			}
			for _, text := range all {
				if wrong := compiled.Check(text); len(wrong) > 0 {
					rt.Fatalf("%s: %v in %s", text, wrong, known.Strict())
				}
			}
			sample := catalogue.Sample(known.Strict())
			if sample == nil {
				rt.Fatalf("there is no sample of %s", known.Strict())
			}
		})
	})
}
