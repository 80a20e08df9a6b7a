// SPDX-License-Identifier: Apache-2.0

package payload

import (
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// changing is an update of an item, with what both of its events share.
func changing(change func(*event.Event)) *event.Event {
	return someEvent(func(e *event.Event) {
		e.PreviousShow, e.Payload = []byte(` {"state":"new","l":[1],"n":1.0}`), []byte(`{"state":"paid","l":[1,2] ,"x":null}`+"\n")
		e.Changed, e.Base, e.State = event.Pointers{"/l", "/n", "/state", "/x"}, 6, 8
		if change != nil {
			change(e)
		}
	})
}

func TestDifference(t *testing.T) {
	const begin = `{"type":"processes.accepted","timestamp":"2021-04-07T15:14:26.123456789Z","object":"processes/54a1%2Fad/3065","sequence":7,`
	const changed = `"changed":["/l","/n","/state","/x"],`
	const whole = `{"state":"paid","l":[1,2] ,"x":null}`
	for _, test := range []struct {
		name         string
		change       func(*event.Event)
		patch, merge string
	}{
		{
			"a change", nil,
			`"base":6,"state":8,` + changed + `"patch":[{"op":"replace","path":"/l","value":[1,2]},{"op":"remove","path":"/n"},` +
				`{"op":"replace","path":"/state","value":"paid"},{"op":"add","path":"/x","value":null}]}`,
			`"base":6,"state":8,` + changed + `"exact":false,"merge":{"l":[1,2],"n":null,"state":"paid","x":null}}`,
		},
		{
			"nothing that may be seen", func(e *event.Event) {
				e.Payload, e.Changed = []byte(`{"state":"new","n":1.0,"l":[1]}`), event.Pointers{}
			},
			`"base":6,"state":8,"changed":[],"patch":[]}`, `"base":6,"state":8,"changed":[],"merge":{}}`,
		},
		{
			"a create", func(e *event.Event) {
				e.Op, e.PreviousShow, e.Base, e.Changed = event.OpCreate, nil, 0, event.Pointers{""}
			},
			`"base":null,"state":8,"changed":[""],"patch":[{"op":"add","path":"","value":` + whole + `}]}`,
			`"base":null,"state":8,"changed":[""],"exact":false,"merge":` + whole + `}`,
		},
		{
			"first seen", func(e *event.Event) { e.PreviousShow, e.Base, e.Changed = nil, 0, nil },
			`"base":null,"state":8,"patch":[{"op":"add","path":"","value":` + whole + `}]}`,
			`"base":null,"state":8,"exact":false,"merge":` + whole + `}`,
		},
		{
			"from a state that no event told", func(e *event.Event) { e.Base, e.Payload = 0, []byte(`{"a":1}`) },
			`"base":null,"state":8,` + changed + `"patch":[{"op":"add","path":"","value":{"a":1}}]}`,
			`"base":null,"state":8,` + changed + `"merge":{"a":1}}`,
		},
		{
			"the Show before has expired", func(e *event.Event) { e.PreviousShow, e.Payload = nil, []byte(`{"a":1}`) },
			`"base":null,"state":8,` + changed + `"patch":[{"op":"add","path":"","value":{"a":1}}]}`,
			`"base":null,"state":8,` + changed + `"merge":{"a":1}}`,
		},
		{
			"from before there were states", func(e *event.Event) {
				e.PreviousShow, e.Base, e.State, e.Changed, e.Payload = nil, 0, 0, nil, []byte(`[1]`)
			},
			`"base":null,"state":7,"patch":[{"op":"add","path":"","value":[1]}]}`, `"base":null,"state":7,"merge":[1]}`,
		},
		{
			"another root", func(e *event.Event) { e.Payload, e.Changed = []byte(`[{"a":null}]`), event.Pointers{""} },
			`"base":null,"state":8,"changed":[""],"patch":[{"op":"add","path":"","value":[{"a":null}]}]}`,
			`"base":6,"state":8,"changed":[""],"merge":[{"a":null}]}`,
		},
		{
			"a snapshot", func(e *event.Event) {
				e.Op, e.PreviousShow, e.Base, e.State, e.Changed, e.Payload = event.OpSnapshot, nil, 0, 7, nil, []byte(`{"a":1}`)
			},
			`"base":null,"state":7,"patch":[{"op":"add","path":"","value":{"a":1}}]}`, `"base":null,"state":7,"merge":{"a":1}}`,
		},
		{
			"a delete", func(e *event.Event) { e.Op, e.Payload, e.Changed = event.OpDelete, e.PreviousShow, event.Pointers{""} },
			`"base":null,"state":8,"changed":[""],"deleted":true}`, `"base":null,"state":8,"changed":[""],"deleted":true}`,
		},
		{
			"XML", func(e *event.Event) {
				e.PreviousShow, e.Payload, e.Changed = []byte("<a>1</a>"), []byte("<a>\"2\"</a>"), event.Pointers{"/a"}
			},
			`"base":null,"state":8,"changed":["/a"],"patch":[{"op":"add","path":"","value":"<a>\"2\"</a>"}]}`,
			`"base":null,"state":8,"changed":["/a"],"merge":"<a>\"2\"</a>"}`,
		},
		{
			"bytes", func(e *event.Event) { e.Payload, e.Changed = []byte{0xff, 0}, event.Pointers{""} },
			`"base":null,"state":8,"changed":[""],"data_base64":"/wA="}`, `"base":null,"state":8,"changed":[""],"data_base64":"/wA="}`,
		},
		{
			"of whoever it has passed to", func(e *event.Event) { *e = *e.For("b"); e.Payload = []byte(`{"a":1}`) },
			`"base":null,"state":8,"patch":[{"op":"add","path":"","value":{"a":1}}]}`, `"base":null,"state":8,"merge":{"a":1}}`,
		},
	} {
		for kind, want := range map[Kind]string{Patch: test.patch, Merge: test.merge} {
			format := mustNew(t, Config{Kind: kind})
			e := changing(test.change)
			got := format.Render(e)
			if string(got.Bytes) != begin+want || got.ContentType != "application/json" {
				t.Errorf("%s of %s: got\n%s\nwant\n%s", kind, test.name, got.Bytes, begin+want)
			}
			if again := format.Render(changing(test.change)); string(again.Bytes) != string(got.Bytes) {
				t.Errorf("%s of %s: then %s", kind, test.name, again.Bytes)
			}
		}
	}
}

// Envelopes have what changed, where it is known; without it, they have the bytes
// that they had before there was such a member.
func TestChangedInEnvelopes(t *testing.T) {
	for _, test := range []struct {
		config Config
		want   string
	}{
		{Config{Kind: Standard}, `Z","changed":["/l","/n","/state","/x"],"data":{`},
		{Config{Kind: Gateway}, `"event_changed":["/l","/n","/state","/x"],"event_body":{`},
		{Config{Kind: CloudEvents}, `"changed":"/l, /n, /state, /x","data":{`},
		{Config{Kind: Thin}, `"changed":["/l","/n","/state","/x"]}`},
		{Config{Kind: Fields, Fields: []Field{{"a", "event:changed"}}}, `{"a":["/l","/n","/state","/x"]}`},
	} {
		format := mustNew(t, test.config)
		if got := string(format.Render(changing(nil)).Bytes); !strings.Contains(got, test.want) {
			t.Errorf("%s: got %s, want %s", format, got, test.want)
		}
		got := string(format.Render(changing(func(e *event.Event) { e.Changed = nil })).Bytes)
		if test.config.Kind == Fields && got != `{"a":null}` || test.config.Kind != Fields && strings.Contains(got, "changed") {
			t.Errorf("%s: what changed is not known: %s", format, got)
		}
	}
}
