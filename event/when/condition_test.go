// SPDX-License-Identifier: Apache-2.0

package when

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

func TestEval(t *testing.T) {
	in := Input{
		Show: event.NewDocument([]byte(`{"id":9007199254740993,"big":18446744073709551615,"bigger":18446744073709551616,
			"price":10.10,"n":1.0,"huge":1e400,"state":"paid","none":null,"yes":true,"twice":1,"twice":2,
			"lines":[{"sku":"a","n":1},{"sku":"b","n":3}],"buyer":{"vip":true},"a.b":{"@id":"x"}}`)),
		Previous: event.Fields{
			"state": json.RawMessage(`"open"`), "buyer.vip": nil, "lines": json.RawMessage(`[{"sku":"a"}]`),
			"items.state": json.RawMessage(`"new"`), "lines.#.sku": json.RawMessage(`["a"]`), `x.a\.b`: json.RawMessage(`5`),
		},
		Changed: []string{"state", "lines"},
		Cause: event.Cause{
			Rule: "PATCH /items/:id", Method: "PATCH", Path: "/items/1", Resource: "orders", Outcome: event.OutcomeChanged,
		},
	}
	for _, tc := range []struct {
		expression string
		want       bool
	}{
		{`object.state == 'paid'`, true},
		{`object.id == 9007199254740993`, true},
		{`object.id == 9007199254740992`, false},
		{`object.big == 18446744073709551615u`, true},
		{`object.big > 5`, true},
		{`object.bigger == '18446744073709551616'`, true},
		{`object.huge == '1e400'`, true},
		{`object.price == 10.10 && object.price < 11`, true},
		{`object.n == 1`, true},
		{`object.none == null`, true},
		{`object.yes`, true},
		{`object.twice == 1`, true},
		{`has(object.gone)`, false},
		{`has(object.buyer) && has(object.buyer.card)`, false},
		{`object.?gone.?deeper.orValue('x') == 'x'`, true},
		{`object.lines.exists(l, l.n > 2)`, true},
		{`object.lines.map(l, l.n).size() == 2`, true},
		{`object['a.b']['@id'] == 'x'`, true},
		{`object.state.startsWith('pa')`, true},
		{`object.state.upperAscii() == 'PAID'`, true},
		{`previous.state == 'open'`, true},
		{`has(previous.state)`, true},
		{`has(previous.buyer) && has(previous.buyer.vip)`, false},
		{`previous.lines[0].sku == 'a'`, true},
		{`previous['lines.#.sku'][0] == 'a'`, true},
		{`previous.items.state == 'new'`, true},
		{`previous['items.state'] == 'new'`, true},
		{`previous.?items.?state.orValue('') == 'new'`, true},
		{`previous['items']['state'] == 'new'`, true},
		{`previous.x['a.b'] == 5`, true},
		{`has(previous.never)`, false},
		{`'state' in changed && !('buyer.vip' in changed)`, true},
		{`size(changed) == 2 && changed.size() == 2`, true},
		{`cause.method == 'PATCH' && cause.path == '/items/1' && cause.rule != ''`, true},
		{`cause.outcome == 'changed' && cause.resource == 'orders'`, true},
		{`[1, 2].exists(previous, previous == 2)`, true},
		{`"4" + "2" == "42" || object.gone.x`, true},
	} {
		c, err := Compile(tc.expression)
		if err != nil {
			t.Error(err)
			continue
		}
		if got, err := c.Eval(in); err != nil || got != tc.want {
			t.Errorf("%s: %v, %v", tc.expression, got, err)
		}
	}
}

// An object that is gone, or was never seen, has no known members.
func TestEvalWithoutShow(t *testing.T) {
	for expression, want := range map[string]bool{
		`has(object.state) || has(previous.state) || 'state' in changed`: false,
		`cause.rule == ''`: true,
	} {
		c, err := Compile(expression)
		if err != nil {
			t.Fatal(err)
		}
		for _, show := range []string{"", "not JSON"} {
			if got, err := c.Eval(Input{Show: event.NewDocument([]byte(show))}); err != nil || got != want {
				t.Errorf("%s: %v, %v", expression, got, err)
			}
		}
	}
}

func TestEvalFails(t *testing.T) {
	lines := "[" + strings.Repeat(`"a",`, 2000) + `"b"]`
	in := Input{Show: event.NewDocument([]byte(`{"state":"paid","n":[1],"lines":` + lines + `}`))}
	for expression, want := range map[string]string{
		`object.gone == 1`:                    "no such key: gone",
		`previous.state == 1`:                 "no such key: state",
		`object.state`:                        "neither true nor false, but of type string",
		`object.state + 1 > 2 || object.gone`: "do not go together",
		`object[object.state] == 1`:           "a member that is not there",
		`int(object.state) == 1`:              "cannot be evaluated",
		`object.lines.exists(a, object.lines.exists(b, object.lines.exists(c, a + b + c == 'x')))`: "costs too much",
	} {
		c, err := Compile(expression)
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := c.Eval(in)
		if got || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %q", expression, got, err, want)
		} else if strings.Contains(err.Error(), "paid") {
			t.Errorf("%s: the error shows a value: %v", expression, err)
		}
	}
}

func TestPaths(t *testing.T) {
	for expression, want := range map[string]string{
		`object.a == 1`:                                                      "",
		`previous.a.b == object.a.b`:                                         "a.b",
		`has(previous.a.b)`:                                                  "a.b",
		`previous.?a.?b.hasValue()`:                                          "a.b",
		`previous[?'a'].hasValue()`:                                          "a",
		`previous['a']['b'] == 1 || previous.a.b == 2`:                       "a.b",
		`previous.a['b.c'] == 1`:                                             `a.b\.c`,
		`previous['a.b'] == 1`:                                               "a.b",
		`previous['a.b'].c == 1`:                                             "a.b",
		`previous['l.#.id'][0] == 1`:                                         "l.#.id",
		`previous.l[0].id == 1`:                                              "l",
		`previous.l[object.n].id == 1`:                                       "l",
		`previous.l[int(previous.n)].id == 1`:                                "l n",
		`previous.l.exists(x, x.id == previous.m)`:                           "l m",
		`[1].exists(previous, previous == 1)`:                                "",
		`[previous.a].exists(previous, previous == 1)`:                       "a",
		`{'k': previous.a}['k'] == 1`:                                        "a",
		`'a.b' in changed`:                                                   "a.b",
		`!('b' in changed) && 'a' in changed ? previous.c : has(previous.d)`: "a b c d",
		`previous.a.startsWith(previous.b)`:                                  "a b",
		`cause['rule'] == 'x'`:                                               "",
	} {
		c, err := Compile(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		want := strings.Fields(want)
		slices.Sort(want)
		if got := c.Paths(); !slices.Equal(got, want) {
			t.Errorf("%s: %q; want %q", expression, got, want)
		}
		if c.String() != expression {
			t.Errorf("%s is called %s", expression, c)
		}
	}
}

func TestCompileFails(t *testing.T) {
	for expression, want := range map[string]string{
		``:                                     "column 1",
		`object.a ==`:                          "column 12",
		`objekt.a == 1`:                        "column 1: undeclared reference to 'objekt'; known are object, previous, changed and cause",
		"true &&\n  state == 'x'":              "line 2, column 3: undeclared reference to 'state'",
		`object.a == 1 && 'x'`:                 "column 18",
		`'x'`:                                  "must be true or false, and is of type string",
		`1 + 1`:                                "of type int",
		`object.?a`:                            "of type optional",
		`previous == {}`:                       "column 1: previous must be followed by the field",
		`true || previous[object.k] == 1`:      "column 9: previous must be followed by the field",
		`object.l.exists(k, previous[k] == 1)`: "previous must be followed by the field",
		`previous.exists(k, k == 'a')`:         "previous must be followed by the field",
		`object.k in changed`:                  "column 13: changed can be asked for a path that is written out",
		`changed.exists(p, p == 'a')`:          "changed can be asked for a path that is written out",
		`['a', 'b'].exists(p, p in changed)`:   "changed can be asked for a path that is written out",
		`cause.metod == 'PATCH'`:               "cause has no metod, only rule, method, path, resource, outcome",
		`cause == {}`:                          "cause must be followed by one of",
		`object.s.matches('(')`:                "column",
		strings.Repeat("(", 300) + strings.Repeat(")", 300): "recursion",
		`'` + strings.Repeat("x", maxSize) + `' == ''`:      "size",
	} {
		if c, err := Compile(expression); c != nil || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.50s: %v; want %q", expression, err, want)
		}
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(`object.state == 'paid' && previous.state != object.state`, `{"state":"paid"}`)
	f.Add(`'a.b' in changed || cause.method == "PUT"`, `{}`)
	f.Add(`object.lines.exists(l, l.n > previous.n) && has(previous.x.y)`, `{"lines":[{"n":1e400}]}`)
	f.Add(`previous['a.#.b'][?0].orValue(1) == 1`, `[]`)
	f.Add(`object.matches('a*') ? [1][0] == 1 : {'a': 1}.a == 2`, `"aaa"`)
	f.Fuzz(func(t *testing.T, expression, show string) {
		c, err := Compile(expression)
		if err != nil {
			return
		}
		fields := make(event.Fields)
		document := event.NewDocument([]byte(show))
		for _, path := range c.Paths() {
			fields[path] = document.Field(path)
		}
		if holds, err := c.Eval(Input{Show: document, Previous: fields, Changed: c.Paths()}); holds && err != nil {
			t.Errorf("%s holds, with %v", expression, err)
		}
	})
}

func BenchmarkEval(b *testing.B) {
	c, err := Compile(`object.state == 'paid' && previous.state != 'paid' && 'state' in changed`)
	if err != nil {
		b.Fatal(err)
	}
	show := `{"id":42,"state":"paid","lines":[` + strings.Repeat(`{"sku":"abcdef","price":10.10,"count":3},`, 24) + `{"sku":"z"}]}`
	in := Input{
		Show:     event.NewDocument([]byte(show)),
		Previous: event.Fields{"state": json.RawMessage(`"open"`)},
		Changed:  []string{"state"},
	}
	b.SetBytes(int64(len(show)))
	b.ReportAllocs()
	for b.Loop() {
		if holds, err := c.Eval(in); err != nil || !holds {
			b.Fatal(holds, err)
		}
	}
}
