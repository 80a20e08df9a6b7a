// SPDX-License-Identifier: Apache-2.0

package shape

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// types are those of an API that has numbers for them, and a name for a group.
var types = func() Types {
	t, err := NewTypes(Type{"process.completed", "5"}, Type{"process.rejected", "06"}, Type{"items.*", "items"}, Type{"process.*", ""}, Type{"users.gone", ""})
	if err != nil {
		panic(err)
	}
	return t
}()

// shapeOf returns a shape by a line as in a Caddyfile.
func shapeOf(t testing.TB, thing, in, line string) *Shape {
	t.Helper()
	var fields []Field
	for word := range strings.FieldsSeq(line) {
		name, path, _ := strings.Cut(word, "=")
		fields = append(fields, Field{name, path})
	}
	s, err := New(thing, in, fields, types)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func decoded(t testing.TB, text string) (value map[string]any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}

func encoded(t testing.TB, value any) string {
	t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(text.String())
}

func TestIn(t *testing.T) {
	s := shapeOf(t, Endpoint, "callbacks", "id callback.url=url object_type=type enabled user=auth.name password=auth.credential how=auth.scheme headers team=metadata.team topics=events")
	for _, test := range []struct{ name, body, want, problems string }{
		{"all", `{"callback":{"url":"https://x/"},"object_type":"items","enabled":false}`, `{"events":["items.*"],"status":"paused","url":"https://x/"}`, ""},
		{"a number", `{"object_type":5,"enabled":true}`, `{"events":["process.completed"],"status":"active"}`, ""},
		{"a number as text", `{"object_type":"5"}`, `{"events":["process.completed"]}`, ""},
		{"a pattern", `{"object_type":"process.completed"}`, `{"events":["process.completed"]}`, ""},
		{"within a group", `{"object_type":"items.paid"}`, `{"events":["items.paid"]}`, ""},
		{"a plain type", `{"object_type":"users.gone"}`, `{"events":["users.gone"]}`, ""},
		{"wrapped", `{"callbacks":{"callback":{"url":"u"}}}`, `{"url":"u"}`, ""},
		{"in each other", `{"user":"a","password":"b","how":"basic","team":"t"}`, `{"auth":{"credential":"b","name":"a","scheme":"basic"},"metadata":{"team":"t"}}`, ""},
		{"a list", `{"topics":["items",5,"other.*"]}`, `{"events":["items.*","process.completed","other.*"]}`, ""},
		{"wrong types pass", `{"callback":{"url":1},"topics":"x","headers":[]}`, `{"events":"x","headers":[],"url":1}`, ""},
		{"null", `{"callback":{"url":null}}`, `{"url":null}`, ""},
		{"unknown", `{"url":"u","callback":{"href":"u"}}`, `{}`, "/callback/href there is no such member, /url there is no such member"},
		{"unknown, wrapped", `{"callbacks":{"url":"u"}}`, `{}`, "/callbacks/url there is no such member"},
		{"wrapped and not", `{"callbacks":{"enabled":true},"enabled":true}`, `{"status":"active"}`, "/callbacks there is no such member"},
		{"ours", `{"id":"x"}`, `{}`, "/id it is not yours to set"},
		{"no object", `{"callback":"u"}`, `{}`, "/callback it is no object"},
		{"unknown types", `{"object_type":"process.*","enabled":"no"}`, `{}`, "/enabled it is not possible here, /object_type it is not possible here"},
		{"of another kind", `{"object_type":["items"]}`, `{}`, "/object_type it is not possible here"},
		{"all types", `{"object_type":"*"}`, `{}`, "/object_type it is not possible here"},
		{"twice the same", `{"object_type":"items","topics":["items"]}`, `{"events":["items.*"]}`, "/topics it says the same as another member"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := s.In(decoded(t, test.body))
			var problems []string
			for _, p := range got.Problems {
				problems = append(problems, p.Pointer+" "+p.Detail)
			}
			if encoded(t, got.Members) != test.want || strings.Join(problems, ", ") != test.problems {
				t.Errorf("got %s, %q", encoded(t, got.Members), problems)
			}
		})
	}
}

func TestOut(t *testing.T) {
	endpoint := `{"id":"ep_1","url":"https://x/?a=1&b=<2>","events":["process.completed"],"status":"active","metadata":{"team":"a"},"payload":{"format":"show"}}`
	delivery := `{"id":"evt_1.ep_1","type":"process.completed","object":"items/a%2Fb","status":"dead","attempts":[
		{"number":2,"error":"no answer came from the receiver"},{"number":1,"response":{"status":500,"ms":12}}]}`
	for _, test := range []struct{ name, thing, in, line, ours, want string }{
		{"all", Endpoint, "", "id callbackUrl=url notificationType=type enabled", endpoint, `{"id":"ep_1","callbackUrl":"https://x/?a=1&b=<2>","notificationType":5,"enabled":true}`},
		{"wrapped", Endpoint, "callbacks", "id", endpoint, `{"callbacks":{"id":"ep_1"}}`},
		{"in each other", Endpoint, "", "a.b.c=url a.b.d=id e=metadata.team f=payload.format g=label h.i=rate", endpoint, `{"a":{"b":{"c":"https://x/?a=1&b=<2>","d":"ep_1"}},"e":"a","f":"show"}`},
		{"a list of types", Endpoint, "", "topics=events", `{"events":["process.completed","process.rejected","items.*","x"]}`, `{"topics":[5,"06","items","x"]}`},
		{"no single type", Endpoint, "", "id type", `{"id":"1","events":["a","b"]}`, `{"id":"1"}`},
		{"paused", Endpoint, "", "enabled status", `{"status":"paused"}`, `{"enabled":false,"status":"paused"}`},
		{"disabled", Endpoint, "", "enabled", `{"status":"disabled"}`, `{"enabled":false}`},
		{"failing", Endpoint, "", "enabled", `{"status":"failing"}`, `{"enabled":true}`},
		{
			"a delivery", Delivery, "", "id type object_id=object.id kind=object.resource n=last.number e=last.error code=last.status", delivery,
			`{"id":"evt_1.ep_1","type":5,"object_id":"a/b","kind":"items","n":2,"e":"no answer came from the receiver"}`,
		},
		{"no attempt", Delivery, "", "code=last.status n=last.number", `{"attempts":[]}`, `{}`},
		{"an answer", Delivery, "", "code=last.status took=last.ms", `{"attempts":[{"number":1,"response":{"status":204,"ms":3}}]}`, `{"code":204,"took":3}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := encoded(t, shapeOf(t, test.thing, test.in, test.line).Out(decoded(t, test.ours))); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	list := shapeOf(t, Endpoint, "callbacks", "id")
	if got := encoded(t, list.OutList([]any{map[string]any{"id": "a"}, map[string]any{"id": "b"}})); got != `{"callbacks":[{"id":"a"},{"id":"b"}]}` {
		t.Errorf("got %s", got)
	}
	if got := encoded(t, shapeOf(t, Endpoint, "", "id").OutList(nil)); got != "[]" {
		t.Errorf("got %s", got)
	}
}

// What is wrong is told where it stands in their body.
func TestPointers(t *testing.T) {
	s := shapeOf(t, Endpoint, "callbacks", "callback.url=url object_type=type topics=events enabled user=auth.name extra=headers")
	for _, test := range []struct{ body, ours, want string }{
		{`{}`, "/url", "/callback/url"},
		{`{"callbacks":{"enabled":true}}`, "/url", "/callbacks/callback/url"},
		{`{"object_type":"items"}`, "/events/0", "/object_type"},
		{`{"topics":["items"]}`, "/events/0", "/topics/0"},
		{`{}`, "/events/0", "/object_type"},
		{`{}`, "/status", "/enabled"},
		{`{}`, "/auth/name", "/user"},
		{`{}`, "/auth", "/user"},
		{`{}`, "/headers/a~1b", "/extra/a~1b"},
		{`{}`, "/label", ""},
		{`{"callbacks":{"enabled":true}}`, "/label", "/callbacks"},
		{`{}`, "?limit", "?limit"},
		{`{}`, "", ""},
	} {
		if got := s.In(decoded(t, test.body)).Pointer(test.ours); got != test.want {
			t.Errorf("%s %s: %s, want %s", test.body, test.ours, got, test.want)
		}
	}
	if got := s.In(nil).Pointer("/url"); got != "/callback/url" {
		t.Errorf("got %s", got)
	}
}

// Of what goes in, the same comes out: for all members that are the same in both
// directions, whatever they are called.
func TestOutOfInIsIdentity(t *testing.T) {
	var paths []string
	for _, path := range names(Endpoint) {
		m := members[Endpoint][path]
		whole := path == "auth" || path == "payload"
		if m.given && !whole && path != "status" && path != "type" {
			paths = append(paths, path)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 2000 {
		random.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
		var fields []Field
		body := make(map[string]any)
		for i, path := range paths[:1+random.IntN(len(paths))] {
			f := Field{Name: fmt.Sprintf("m%d", i), Path: path}
			for range random.IntN(3) {
				f.Name = fmt.Sprintf("o%d.%s", random.IntN(2), f.Name)
			}
			fields = append(fields, f)
			if random.IntN(4) > 0 {
				put(body, strings.Split(f.Name, "."), sampleOf(random, path))
			}
		}
		in := []string{"", "wrap"}[random.IntN(2)]
		s, err := New(Endpoint, in, fields, types)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		given := s.In(body)
		if len(given.Problems) > 0 {
			t.Fatalf("round %d: %v", round, given.Problems)
		}
		// It passes through the wire, as answers do.
		got := decoded(t, encoded(t, s.Out(decoded(t, encoded(t, given.Members)))))
		if in != "" {
			got = got[in].(map[string]any)
		}
		if want := decoded(t, encoded(t, body)); !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d: %v\nin  %v\nout %v", round, fields, want, got)
		}
	}
}

func sampleOf(random *rand.Rand, path string) any {
	switch path {
	case "events":
		list := []any{}
		for range random.IntN(3) {
			list = append(list, []any{"items", json.Number("5"), "06", "other.*"}[random.IntN(4)])
		}
		return list
	case "enabled":
		return random.IntN(2) == 0
	case "headers", "metadata":
		return map[string]any{"a/b": "x", "c": "<&>"}
	}
	return []any{"text", "", nil, json.Number("1.50"), true, []any{"x"}}[random.IntN(6)]
}

func TestShapesThatAreNone(t *testing.T) {
	for _, test := range []struct{ thing, in, line, want string }{
		{"partner", "", "id", "no such thing"},
		{Endpoint, "", "", "say the names"},
		{Endpoint, "a.b", "id", "one member"},
		{Endpoint, "id", "id", "the same name"},
		{Endpoint, "", "name", "there are auth, auth.credential"},
		{Endpoint, "", "a=headers.x.y", "has no headers.x.y"},
		{Endpoint, "", "a=url b=url", "url stands twice"},
		{Endpoint, "", "a=url a=label", "another member"},
		{Endpoint, "", "a=url a.b=label", "another member"},
		{Endpoint, "", "a.b=url a=label", "another member"},
		{Endpoint, "", "a..b=url", "no name"},
		{Endpoint, "", "=url", "no name"},
		{Delivery, "", "url", "delivery has no url"},
	} {
		var fields []Field
		for word := range strings.FieldsSeq(test.line) {
			name, path, _ := strings.Cut(word, "=")
			fields = append(fields, Field{name, path})
		}
		if _, err := New(test.thing, test.in, fields, types); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %q: %v, want %q", test.thing, test.line, err, test.want)
		}
	}
	if s := Own(Endpoint, types); !s.Has("auth.credential") || s.Has("auth") || !s.Sets("events") {
		t.Error("our own shape lacks something")
	}
}

func TestForms(t *testing.T) {
	s := shapeOf(t, Endpoint, "", "id callback.url=url topics=events enabled headers type")
	for _, test := range []struct{ body, want, problems string }{
		{"callback.url=https%3A%2F%2Fx%2F&enabled=false", `{"callback":{"url":"https://x/"},"enabled":false}`, ""},
		{"topics=a&topics=b&type=5", `{"topics":["a","b"],"type":"5"}`, ""},
		{"enabled=yes", `{"enabled":"yes"}`, ""},
		{"callback.url=", `{"callback":{"url":""}}`, ""},
		{"", `{}`, ""},
		{"callback.url=a&callback.url=b", `{}`, "/callback.url it is given more than once"},
		{"headers=x", `{}`, "/headers a form cannot say it"},
		{"url=x&callback=y", `{}`, "/callback there is no such member, /url there is no such member"},
		{"%zz", "", "-"},
		{"type=%ff", "", "-"},
	} {
		got, problems, err := s.Form([]byte(test.body))
		var told []string
		for _, p := range problems {
			told = append(told, p.Pointer+" "+p.Detail)
		}
		if err != nil {
			told = []string{"-"}
		}
		if strings.Join(told, ", ") != test.problems || err == nil && encoded(t, got) != test.want {
			t.Errorf("%s: %s, %q, %v", test.body, encoded(t, got), told, err)
		}
	}
}

func FuzzForm(f *testing.F) {
	f.Add("callback.url=https%3A%2F%2Fx%2F&enabled=false&topics=a&topics=b")
	s := shapeOf(f, Endpoint, "callbacks", "id callback.url=url topics=events enabled headers type a.b.c=label")
	f.Fuzz(func(t *testing.T, body string) {
		made, problems, err := s.Form([]byte(body))
		if err != nil || len(problems) > 0 {
			return
		}
		given := s.In(made)
		for _, p := range given.Problems {
			if !strings.HasPrefix(p.Pointer, "/") || p.Remedy == "" {
				t.Errorf("%q: %v", body, p)
			}
		}
		if len(given.Problems) == 0 && len(given.sent) == 0 && body != "" && slices.Contains(strings.Split(body, "&"), "type=5") {
			t.Errorf("%q is lost", body)
		}
	})
}
