// SPDX-License-Identifier: Apache-2.0

package when

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

func paid() *event.Event {
	return &event.Event{
		Type: "items.paid", Key: event.Key{Resource: "items", ID: "42"}, Sequence: 7, Op: event.OpChange,
		Time: time.Date(2026, 11, 28, 12, 0, 0, 123456789, time.UTC), Freshness: event.FreshnessVersion,
		Payload:      []byte(`{"id":42,"amount":150.5,"state":"paid","buyer":{"vip":true,"a/b":1,"c.d":2},"tags":["x"]}`),
		PreviousShow: []byte(`{"id":42,"amount":100,"state":"open","buyer":{"vip":true}}`),
		Changed:      event.Pointers{"/amount", "/state", "/buyer/a~1b"},
	}
}

func factsOf(e *event.Event) *Facts {
	return NewFacts(e, func() event.Document { return event.NewDocument(e.Payload) })
}

func filterOf(t *testing.T, expression string) *Filter {
	t.Helper()
	f, err := CompileFilter(expression)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFilter(t *testing.T) {
	for expression, want := range map[string]bool{
		`object.amount > 100`:                                 true,
		`object.amount > double(previous.amount) + 100.0`:     false,
		`event.type == 'items.paid' && event.op == 'change'`:  true,
		`event.object == 'items/42' && event.id == '42'`:      true,
		`event.resource == 'users'`:                           false,
		`event.sequence == 7`:                                 true,
		`event.freshness == 'version'`:                        true,
		`event.time > timestamp('2026-11-28T00:00:00Z')`:      true,
		`previous.state == 'open' && object.state == 'paid'`:  true,
		`has(previous.tags)`:                                  false,
		`'/state' in changed`:                                 true,
		`'/stat' in changed`:                                  false,
		`changed.under('/buyer')`:                             true,
		`changed.under('/buyer/a~1b')`:                        true,
		`changed.under('/buyer/a~1b/deeper')`:                 true,
		`changed.under('/buyer/vip')`:                         false,
		`changed.under('buyer')`:                              true,
		`changed.under('buyer.vip')`:                          false,
		`changed.under('amount')`:                             true,
		`changed.under('/amount') && !changed.under('/tags')`: true,
		`changed.under('')`:                                   true,
		`changed.under('/state2') || changed.under('/sta')`:   false,
		`object.?buyer.?gone.orValue(false)`:                  false,
		`object.tags.exists(t, t.startsWith('x'))`:            true,
		`size(changed) == 3`:                                  true,
	} {
		if got, err := filterOf(t, expression).Keeps(factsOf(paid())); err != nil || got != want {
			t.Errorf("%s: %v, %v", expression, got, err)
		}
	}
}

// What a filter cannot know leaves it undecided, unless the rest decides without it.
func TestFilterUndecided(t *testing.T) {
	created, first, watched, gone, text := paid(), paid(), paid(), paid(), paid()
	created.Op, created.PreviousShow, created.Changed = event.OpCreate, nil, event.Pointers{""}
	first.PreviousShow, first.Changed = nil, nil
	watched.PreviousShow, watched.Changed = nil, nil
	watched.Previous = event.Fields{"state": json.RawMessage(`"open"`), "buyer.vip": json.RawMessage(`false`)}
	gone.Op, gone.Payload = event.OpDelete, []byte(`{"resource":"items","id":"42"}`)
	text.Payload = []byte("not JSON")
	const undecided = "?"
	for name, test := range map[string]struct {
		event      *event.Event
		expression string
		want       string
	}{
		"no previous state: a member":     {created, `previous.state == 'open'`, undecided},
		"no previous state: has":          {created, `has(previous.state)`, "false"},
		"a create changes all":            {created, `changed.under('/state')`, "true"},
		"unknown previous: a member":      {first, `previous.state == 'open'`, undecided},
		"unknown previous: has":           {first, `has(previous.state)`, undecided},
		"unknown changes":                 {first, `changed.under('/state')`, undecided},
		"unknown changes, decided by or":  {first, `changed.under('/state') || object.amount > 1`, "true"},
		"unknown changes, decided by and": {first, `object.amount < 1 && changed.under('/state')`, "false"},
		"watched fields":                  {watched, `previous.state == 'open' && !previous.buyer.vip`, "true"},
		"a field that is not watched":     {watched, `previous.amount > 1`, undecided},
		"what a delete tells":             {gone, `object.id == '42'`, "true"},
		"what it does not tell":           {gone, `object.amount > 1`, undecided},
		"no JSON":                         {text, `object.amount > 1`, undecided},
		"no JSON: has":                    {text, `has(object.amount)`, "false"},
		"a missing member":                {paid(), `object.gone == 1`, undecided},
		"types that do not go together":   {paid(), `object.state > 5`, undecided},
		"not a boolean":                   {paid(), `object.state`, undecided},
		"not a path":                      {paid(), `changed.under('a.@reverse')`, undecided},
	} {
		got, err := filterOf(t, test.expression).Keeps(factsOf(test.event))
		told := fmt.Sprint(got)
		if err != nil {
			told = undecided
		}
		if told != test.want {
			t.Errorf("%s: %v, %v; want %s", name, got, err, test.want)
		}
		if err != nil && (strings.Contains(err.Error(), "paid\"") || strings.Contains(err.Error(), "150")) {
			t.Errorf("%s: the error tells a value: %v", name, err)
		}
	}
}

func TestFilterErrors(t *testing.T) {
	for expression, want := range map[string]string{
		`object.amount >`:       "filter, column 16",
		`cause.rule == ''`:      "known are event, object, previous and changed",
		`object.n + 1 > `:       "column",
		`'a' + 'b'`:             "of type string",
		`object.a.matches('(')`: "column",
		`1`:                     "of type int",
		"":                      "filter",
		strings.Repeat("(", 100) + "true" + strings.Repeat(")", 100): "filter",
		`object.a == '` + strings.Repeat("x", MaxFilter) + `'`:       "filter",
	} {
		if _, err := CompileFilter(expression); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.40s: %v", expression, err)
		}
	}
}

// Neither one filter nor all of a tenant's together can hold up an event for long.
func TestFilterCosts(t *testing.T) {
	e := paid()
	e.Payload = []byte(`{"lines":[` + strings.Repeat(`"a",`, 2000) + `"b"]}`)
	dear := filterOf(t, `object.lines.exists(a, object.lines.exists(b, a + b == 'x'))`)
	cheap := filterOf(t, `event.op == 'change'`)
	facts := factsOf(e)
	if _, err := dear.Keeps(facts); err == nil || !strings.Contains(err.Error(), "costs too much") {
		t.Errorf("a dear one: %v", err)
	}
	if ok, err := cheap.Keeps(facts); !ok || err != nil {
		t.Errorf("a cheap one beside it: %v, %v", ok, err)
	}
	tries := 0
	for tries = range 1000 {
		if _, err := dear.Keeps(facts); errors.Is(err, ErrTooCostly) {
			break
		}
	}
	if tries > maxFacts/maxFilterCost+1 {
		t.Errorf("%d dear ones were evaluated", tries)
	}
	if _, err := cheap.Keeps(facts); !errors.Is(err, ErrTooCostly) {
		t.Errorf("a cheap one after all of them: %v", err)
	}
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{`object.amount > 1`, `changed.under('/a')`, `previous.a == event.type`, `has(object.b.c)`, `changed.exists(c, c.matches('a+'))`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		filter, err := CompileFilter(expression)
		if err != nil {
			return
		}
		first, errFirst := filter.Keeps(factsOf(paid()))
		second, errSecond := filter.Keeps(factsOf(paid()))
		if first != second || (errFirst == nil) != (errSecond == nil) {
			t.Errorf("%q: %v, %v, then %v, %v", expression, first, errFirst, second, errSecond)
		}
	})
}

func BenchmarkFilter(b *testing.B) {
	filter, err := CompileFilter(`object.amount > 100 && event.type == 'items.paid'`)
	if err != nil {
		b.Fatal(err)
	}
	for _, endpoints := range []int{1, 100} {
		b.Run(fmt.Sprint(endpoints), func(b *testing.B) {
			for b.Loop() {
				facts := factsOf(paid())
				for range endpoints {
					if ok, err := filter.Keeps(facts); !ok || err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
