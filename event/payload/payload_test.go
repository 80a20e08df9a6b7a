// SPDX-License-Identifier: Apache-2.0

package payload

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http/httpguts"
	"pgregory.net/rapid"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// show has everything that a round trip through a decoder would change: white
// space, a number beyond 2^53, and escapes.
const show = ` {"status": "accepted",  "n": 9007199254740993, "items": {"state":"<paid> &","tags":["a"]}}` + "\n"

func someEvent(change func(*event.Event)) *event.Event {
	key, err := event.NewKey("processes", "54a1/ad", "3065")
	if err != nil {
		panic(err)
	}
	e := &event.Event{
		ID: "evt_1", Type: "processes.accepted", Key: key, Sequence: 7, Op: event.OpChange,
		Time: time.Date(2021, 4, 7, 15, 14, 26, 123456789, time.UTC), Version: "v7", Tenant: "partner-1",
		Previous:     event.Fields{"status": json.RawMessage(`"pending"`), "gone": nil},
		PreviousShow: []byte(`{"status": "pending", "n": 1}`),
		ContentType:  "application/json; charset=utf-8", Payload: []byte(show),
	}
	if change != nil {
		change(e)
	}
	return e
}

func mustNew(t testing.TB, config Config) Format {
	t.Helper()
	f, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRender(t *testing.T) {
	const json1 = "application/json"
	trimmed := strings.TrimSpace(show)
	assure := []Field{{"dossierId", ":1"}, {"processId", ":2"}, {"status", "status"}}
	for _, test := range []struct {
		name        string
		config      Config
		change      func(*event.Event)
		contentType string
		want        string
	}{
		{"show", Config{}, nil, "application/json; charset=utf-8", show},
		{"show of XML", Config{}, func(e *event.Event) { e.ContentType, e.Payload = "text/xml", []byte("<a/>") }, "text/xml", "<a/>"},
		{
			"standard",
			Config{Kind: Standard},
			nil, json1,
			`{"type":"processes.accepted","timestamp":"2021-04-07T15:14:26.123456789Z","data":` + trimmed + `}`,
		},
		{
			"standard with data of its own",
			Config{Kind: Standard, Data: []Field{{"merchant.key", "status"}, {"object", "."}, {"merchant.process.id", ":2"}, {"none", "none"}}},
			nil, json1,
			`{"type":"processes.accepted","timestamp":"2021-04-07T15:14:26.123456789Z","data":{"merchant":{"key":"accepted","process":{"id":"3065"}},"object":` + trimmed + `,"none":null}}`,
		},
		{
			"standard with data of what is no JSON",
			Config{Kind: Standard, Data: []Field{{"object", "."}}},
			func(e *event.Event) { e.ContentType, e.Payload = "text/xml", []byte("<a/>") }, json1,
			`{"type":"processes.accepted","timestamp":"2021-04-07T15:14:26.123456789Z","data":{"object":{"show":"<a/>"}}}`,
		},
		{
			"standard with data of what is gone",
			Config{Kind: Standard, Data: []Field{{"status", "status"}, {"object", "."}}},
			func(e *event.Event) { e.Op, e.Payload = event.OpDelete, nil }, json1,
			`{"type":"processes.accepted","timestamp":"2021-04-07T15:14:26.123456789Z","data":{"status":"pending","object":null}}`,
		},
		{
			"standard with the whole state before",
			Config{Kind: Standard, Previous: true},
			nil, json1,
			`{"type":"processes.accepted","timestamp":"2021-04-07T15:14:26.123456789Z","data":` + trimmed + `,"previous":{"status": "pending", "n": 1}}`,
		},
		{
			"standard with the watched fields before",
			Config{Kind: Standard, Previous: true},
			func(e *event.Event) { e.PreviousShow = nil }, json1,
			`{"type":"processes.accepted","timestamp":"2021-04-07T15:14:26.123456789Z","data":` + trimmed + `,"previous":{"status":"pending"}}`,
		},
		{
			"standard with nothing known before",
			Config{Kind: Standard, Previous: true},
			func(e *event.Event) { e.PreviousShow, e.Previous = nil, nil }, json1,
			`{"type":"processes.accepted","timestamp":"2021-04-07T15:14:26.123456789Z","data":` + trimmed + `,"previous":null}`,
		},
		{
			"standard of text",
			Config{Kind: Standard},
			func(e *event.Event) { e.Payload = []byte("<a b=\"c\"/>\n") }, json1,
			`{"type":"processes.accepted","timestamp":"2021-04-07T15:14:26.123456789Z","data":"<a b=\"c\"/>\n"}`,
		},
		{
			"standard of bytes",
			Config{Kind: Standard},
			func(e *event.Event) { e.Payload = []byte{0xff, 0x00} }, json1,
			`{"type":"processes.accepted","timestamp":"2021-04-07T15:14:26.123456789Z","data_base64":"/wA="}`,
		},
		{
			"standard of nothing",
			Config{Kind: Standard},
			func(e *event.Event) { e.Payload = nil }, json1,
			`{"type":"processes.accepted","timestamp":"2021-04-07T15:14:26.123456789Z","data":null}`,
		},
		{
			"gateway",
			Config{Kind: Gateway},
			nil, json1,
			`{"type":"event","event_triggered":"2021-04-07 15:14:26","event_type":"processes.accepted","event_body":` + trimmed + `,"event_id":"evt_1"}`,
		},
		{
			"gateway from another zone, with the state before",
			Config{Kind: Gateway, Previous: true},
			func(e *event.Event) { e.Time = e.Time.In(time.FixedZone("", 2*3600)) }, json1,
			`{"type":"event","event_triggered":"2021-04-07 15:14:26","event_type":"processes.accepted","event_body":` + trimmed +
				`,"event_previous":{"status": "pending", "n": 1},"event_id":"evt_1"}`,
		},
		{
			"cloudevents",
			Config{Kind: CloudEvents, Source: "https://api.example.com"},
			nil, "application/cloudevents+json",
			`{"specversion":"1.0","id":"evt_1","source":"https://api.example.com","type":"processes.accepted","subject":"processes/54a1%2Fad/3065",` +
				`"time":"2021-04-07T15:14:26.123456789Z","datacontenttype":"application/json; charset=utf-8","data":` + trimmed + `}`,
		},
		{
			"cloudevents of bytes",
			Config{Kind: CloudEvents},
			func(e *event.Event) { e.ContentType, e.Payload = "image/png", []byte{0xff} }, "application/cloudevents+json",
			`{"specversion":"1.0","id":"evt_1","source":"/processes","type":"processes.accepted","subject":"processes/54a1%2Fad/3065",` +
				`"time":"2021-04-07T15:14:26.123456789Z","datacontenttype":"image/png","data_base64":"/w=="}`,
		},
		{"cloudevents, binary", Config{Kind: CloudEvents, Binary: true}, nil, "application/json; charset=utf-8", show},
		{
			"thin",
			Config{Kind: Thin, URL: "https://api.example.com/dossiers/{id.1}/{resource}/{id.2}?all={id}"},
			nil, json1,
			`{"id":"evt_1","type":"processes.accepted","timestamp":"2021-04-07T15:14:26.123456789Z","object":"processes/54a1%2Fad/3065",` +
				`"url":"https://api.example.com/dossiers/54a1%2Fad/processes/3065?all=54a1%2Fad/3065"}`,
		},
		{
			"thin without a link",
			Config{Kind: Thin},
			nil, json1,
			`{"id":"evt_1","type":"processes.accepted","timestamp":"2021-04-07T15:14:26.123456789Z","object":"processes/54a1%2Fad/3065"}`,
		},
		{
			"fields",
			Config{Kind: Fields, Fields: assure},
			nil, json1,
			`{"dossierId":"54a1/ad","processId":"3065","status":"accepted"}`,
		},
		{
			"fields of all kinds",
			Config{Kind: Fields, Fields: []Field{
				{"a", "event:id"},
				{"b", "event:type"},
				{"c", "event:time"},
				{"d", "event:sequence"},
				{"e", "event:op"},
				{"f", "event:tenant"},
				{"g", "event:object"},
				{"h", "event:version"},
				{"i", "n"},
				{"j", "items.state"},
				{"k", "items.tags"},
				{"l", "missing"},
				{"m", ":9"},
				{`"n"`, "items.tags.0"},
			}},
			nil, json1,
			`{"a":"evt_1","b":"processes.accepted","c":"2021-04-07T15:14:26.123456789Z","d":7,"e":"change","f":"partner-1","g":"processes/54a1%2Fad/3065","h":"v7",` +
				`"i":9007199254740993,"j":"<paid> &","k":["a"],"l":null,"m":null,"\"n\"":"a"}`,
		},
		{
			"fields with the state before",
			Config{Kind: Fields, Fields: assure, Previous: true},
			nil, json1,
			`{"dossierId":"54a1/ad","processId":"3065","status":"accepted","previous":{"status":"pending"}}`,
		},
		{
			"fields with nothing known before",
			Config{Kind: Fields, Fields: assure, Previous: true},
			func(e *event.Event) { e.PreviousShow, e.Previous = nil, nil }, json1,
			`{"dossierId":"54a1/ad","processId":"3065","status":"accepted","previous":null}`,
		},
		{
			"fields of a deleted object",
			Config{Kind: Fields, Fields: assure},
			func(e *event.Event) {
				e.Op, e.PreviousShow, e.Payload = event.OpDelete, nil, []byte(`{"resource":"processes","deleted":true}`)
			}, json1,
			`{"dossierId":"54a1/ad","processId":"3065","status":"pending"}`,
		},
		{
			"fields of no JSON",
			Config{Kind: Fields, Fields: assure},
			func(e *event.Event) { e.Payload = []byte(`{"status":`) }, json1,
			`{"dossierId":"54a1/ad","processId":"3065","status":null}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := mustNew(t, test.config)
			e := someEvent(test.change)
			got := f.Render(e)
			if string(got.Bytes) != test.want || got.ContentType != test.contentType {
				t.Errorf("got %s\n%s\nwant %s\n%s", got.ContentType, got.Bytes, test.contentType, test.want)
			}
			if test.config.Kind != "" && !test.config.Binary && !json.Valid(got.Bytes) {
				t.Error("that is not JSON")
			}
			again, err := Parse(f.String())
			if err != nil || !again.Equal(f) {
				t.Fatalf("%s cannot be parsed again: %v", f, err)
			}
			if twice := again.Render(e); !bytes.Equal(twice.Bytes, got.Bytes) || twice.ContentType != got.ContentType {
				t.Errorf("parsed from its text, it renders %s", twice.Bytes)
			}
		})
	}
	if (Format{}).String() != "show" || !(Format{}).Equal(mustNew(t, Config{Kind: Show})) || string((Format{}).Render(someEvent(nil)).Bytes) != show {
		t.Error("the zero Format is not show")
	}
}

func TestBinaryCloudEvent(t *testing.T) {
	e := someEvent(func(e *event.Event) {
		key, err := event.NewKey("items", "ü 1")
		if err != nil {
			t.Fatal(err)
		}
		e.Key = key
	})
	want := [][2]string{
		{"Ce-Specversion", "1.0"},
		{"Ce-Id", "evt_1"},
		{"Ce-Source", "/items"},
		{"Ce-Type", "processes.accepted"},
		{"Ce-Subject", "items/%25C3%25BC%25201"},
		{"Ce-Time", "2021-04-07T15:14:26.123456789Z"},
	}
	got := mustNew(t, Config{Kind: CloudEvents, Binary: true}).Render(e).Header
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %v, want %v", got[i], want[i])
		}
	}
	// The example of the HTTP binding of CloudEvents, section 3.1.3.2.
	if got := attribute("Euro € 😀"); got != "Euro%20%E2%82%AC%20%F0%9F%98%80" {
		t.Errorf("got %s", got)
	}
}

func TestFormatsThatCannotBe(t *testing.T) {
	many := make([]Field, MaxFields+1)
	for i := range many {
		many[i] = Field{strings.Repeat("x", i+1), "a"}
	}
	long := make([]Field, 16)
	for i := range long {
		long[i] = Field{strings.Repeat("x", maxName-i), strings.Repeat("p", maxPath)}
	}
	for name, test := range map[string]struct {
		config Config
		want   string
	}{
		"another kind":            {Config{Kind: "xml"}, "there are show, standard"},
		"binary":                  {Config{Kind: Standard, Binary: true}, "only cloudevents can be binary"},
		"source":                  {Config{Kind: Show, Source: "/a"}, "only cloudevents has a source"},
		"URL":                     {Config{Kind: Standard, URL: "https://a.example"}, "only thin has a URL"},
		"data of no envelope":     {Config{Kind: Show, Data: []Field{{"a", "b"}}}, "standard and gateway have"},
		"data twice":              {Config{Kind: Gateway, Data: []Field{{"a", "b"}, {"a", "c"}}}, "a and a cannot both"},
		"data within a value":     {Config{Kind: Gateway, Data: []Field{{"a", "b"}, {"a.b", "c"}}}, "a and a.b cannot both"},
		"data around a value":     {Config{Kind: Gateway, Data: []Field{{"a.b.c", "b"}, {"a.b", "c"}}}, "a.b.c and a.b cannot both"},
		"two wholes":              {Config{Kind: Gateway, Data: []Field{{"a", "."}, {"b", "."}}}, "keep one"},
		"data without a name":     {Config{Kind: Gateway, Data: []Field{{"a..b", "c"}}}, "no name"},
		"data by a modifier":      {Config{Kind: Gateway, Data: []Field{{"a", "@this"}}}, "the whole Show"},
		"fields":                  {Config{Kind: Thin, Fields: []Field{{"a", "b"}}}, "only fields has fields"},
		"previous of show":        {Config{Previous: true}, "no place for previous"},
		"previous of cloudevents": {Config{Kind: CloudEvents, Previous: true}, "no place for previous"},
		"no fields":               {Config{Kind: Fields}, "it has 0 fields"},
		"many fields":             {Config{Kind: Fields, Fields: many}, "it has 65 fields"},
		"long fields":             {Config{Kind: Fields, Fields: []Field{{strings.Repeat("n", maxName), strings.Repeat("p", maxPath)}, {strings.Repeat("m", maxName), strings.Repeat("p", maxPath)}, {"a", strings.Repeat("p", maxPath+1)}}}, "write a path of the Show"},
		"too much of everything":  {Config{Kind: Fields, Fields: long}, "as a text"},
		"a field twice":           {Config{Kind: Fields, Fields: []Field{{"a", "b"}, {"a", "c"}}}, "stands twice"},
		"a field without a name":  {Config{Kind: Fields, Fields: []Field{{"", "b"}}}, "name has 0 bytes"},
		"a field without a path":  {Config{Kind: Fields, Fields: []Field{{"a", ""}}}, "write a path of the Show"},
		"a modifier":              {Config{Kind: Fields, Fields: []Field{{"a", "items|@pretty"}}}, "write a path of the Show"},
		"a static value":          {Config{Kind: Fields, Fields: []Field{{"a", `!"b"`}}}, "write a path of the Show"},
		"part zero of the key":    {Config{Kind: Fields, Fields: []Field{{"a", ":0"}}}, "write a path of the Show"},
		"a named part of the key": {Config{Kind: Fields, Fields: []Field{{"a", ":id"}}}, "write a path of the Show"},
		"something of the event":  {Config{Kind: Fields, Fields: []Field{{"a", "event:payload"}}}, "write a path of the Show"},
		"previous twice":          {Config{Kind: Fields, Previous: true, Fields: []Field{{"previous", "a"}}}, "give it another name"},
		"a source with a space":   {Config{Kind: CloudEvents, Source: "a b"}, "is not a URI"},
		"a link of no URL":        {Config{Kind: Thin, URL: "api.example.com/{id}"}, "begins with https://"},
		"a link with a brace":     {Config{Kind: Thin, URL: "https://a.example/{id"}, "braces take"},
		"a link with another":     {Config{Kind: Thin, URL: "https://a.example/{tenant}"}, "braces take"},
		"a link with part zero":   {Config{Kind: Thin, URL: "https://a.example/{id.0}"}, "braces take"},
	} {
		if _, err := New(test.config); !errors.Is(err, ErrBadFormat) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}

// TestRenderIsPure renders any event in any format. The result is JSON where it
// should be, has the Show's own bytes wherever they are JSON, is the same each
// time, and has headers that can be sent.
func TestRenderIsPure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		config := Config{
			Kind:     rapid.SampledFrom([]Kind{Show, Standard, Gateway, CloudEvents, Thin, Fields, Patch, Merge}).Draw(t, "kind"),
			Previous: rapid.Bool().Draw(t, "previous"), Binary: rapid.Bool().Draw(t, "binary"),
		}
		config.Previous = config.Previous && (config.Kind == Standard || config.Kind == Gateway || config.Kind == Fields)
		config.Binary = config.Binary && config.Kind == CloudEvents
		if (config.Kind == Standard || config.Kind == Gateway) && rapid.Bool().Draw(t, "has data") {
			config.Data = []Field{{"object", "."}, {"a.b." + rapid.StringN(1, 10, 20).Draw(t, "name"), "a.b"}, {"a.c", ":1"}}
		}
		if config.Kind == Fields {
			config.Fields = []Field{{rapid.StringN(1, 10, 20).Draw(t, "name"), rapid.SampledFrom([]string{"a", "a.b.0", ":1", "event:id"}).Draw(t, "path")}}
		}
		f, err := New(config)
		if err != nil {
			return
		}
		key, err := event.NewKey("items", rapid.String().Draw(t, "id"))
		if err != nil {
			return
		}
		e := &event.Event{
			ID: "evt", Type: "items.updated", Key: key, Time: time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "time"), 0),
			ContentType: "application/json", Payload: rapid.SliceOf(rapid.Byte()).Draw(t, "payload"), Tenant: rapid.String().Draw(t, "tenant"),
		}
		if rapid.Bool().Draw(t, "is JSON") {
			e.Payload = []byte(`{"a": {"b" : [1.50]}}`)
		}
		before := bytes.Clone(e.Payload)
		body := f.Render(e)
		parsed, err := Parse(f.String())
		if err != nil {
			t.Fatal(err)
		}
		if again := parsed.Render(e); !bytes.Equal(again.Bytes, body.Bytes) {
			t.Fatalf("%s, then %s", body.Bytes, again.Bytes)
		}
		if !bytes.Equal(before, e.Payload) {
			t.Fatal("the event was changed")
		}
		isShow := config.Kind == Show || config.Binary
		if isShow != bytes.Equal(body.Bytes, e.Payload) && len(e.Payload) > 0 || !isShow && !json.Valid(body.Bytes) {
			t.Fatalf("%s renders %q as %q", f, e.Payload, body.Bytes)
		}
		embeds := config.Kind == Standard || config.Kind == Gateway || config.Kind == CloudEvents
		if trimmed := bytes.TrimSpace(e.Payload); embeds && json.Valid(trimmed) && !bytes.Contains(body.Bytes, trimmed) {
			t.Fatalf("%q does not stand in %q", e.Payload, body.Bytes)
		}
		for _, field := range body.Header {
			if !httpguts.ValidHeaderFieldValue(field[1]) || strings.ContainsFunc(field[1], func(r rune) bool { return r > '~' }) {
				t.Fatalf("no header can hold %q", field[1])
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, config := range []Config{
		{},
		{Kind: Standard, Previous: true},
		{Kind: CloudEvents, Binary: true, Source: "/a"},
		{Kind: Thin, URL: "https://a.example/{id.1}"},
		{Kind: Patch},
		{Kind: Merge},
		{Kind: Fields, Fields: []Field{{"a", "b"}, {"c", ":1"}, {"d", "event:id"}}},
	} {
		f.Add(mustNew(f, config).String())
	}
	f.Add(`{"kind":"show","more":1}`)
	f.Add(`{"kind":"standard"}{}`)
	e := someEvent(nil)
	f.Fuzz(func(t *testing.T, text string) {
		format, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrBadFormat) {
				t.Fatal(err)
			}
			return
		}
		again, err := Parse(format.String())
		if err != nil || !again.Equal(format) {
			t.Fatalf("%q does not survive: %v", format, err)
		}
		if body := format.Render(e); format.config.Kind != Show && !format.config.Binary && !json.Valid(body.Bytes) {
			t.Fatalf("%q renders %q", format, body.Bytes)
		}
	})
}

func BenchmarkRender(b *testing.B) {
	e := someEvent(func(e *event.Event) {
		e.Payload = []byte(`{"status":"accepted","pad":"` + base64.StdEncoding.EncodeToString(make([]byte, 720)) + `"}`)
	})
	for _, config := range []Config{
		{},
		{Kind: Standard},
		{Kind: Gateway},
		{Kind: CloudEvents},
		{Kind: CloudEvents, Binary: true},
		{Kind: Thin, URL: "https://a.example/{id}"},
		{Kind: Fields, Fields: []Field{{"a", ":1"}, {"b", ":2"}, {"c", "status"}}},
	} {
		format := mustNew(b, config)
		b.Run(strings.ReplaceAll(format.String(), "/", ""), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				format.Render(e)
			}
		})
	}
}

// Render allocates no more than Copied says, except for the envelope itself; if
// Copied says 0, the body is the event's own.
func TestCopied(t *testing.T) {
	contents := map[string][]byte{
		"application/json": []byte(`{"text":"` + strings.Repeat("x", 10_000) + `"}`),
		"text/xml":         []byte("<a>" + strings.Repeat("\"<é\n", 2000) + "</a>"),
		"image/png":        bytes.Repeat([]byte{0xff, 0, 1, 0x80}, 2500),
	}
	for _, config := range []Config{
		{Kind: Show},
		{Kind: Thin},
		{Kind: CloudEvents, Binary: true},
		{Kind: CloudEvents},
		{Kind: Standard},
		{Kind: Standard, Previous: true},
		{Kind: Gateway},
		{Kind: Gateway, Previous: true},
		{Kind: Gateway, Data: []Field{{Name: "a.b.object", Path: "."}, {Name: "a.text", Path: "text"}}, Previous: true},
		{Kind: Fields, Fields: []Field{{Name: "text", Path: "text"}}, Previous: true},
		{Kind: Patch},
		{Kind: Merge},
	} {
		format := mustNew(t, config)
		for contentType, content := range contents {
			e := someEvent(func(e *event.Event) { e.Payload, e.PreviousShow, e.ContentType = content, content, contentType })
			body := format.Render(e).Bytes
			copied := format.Copied(int64(2*len(content)), contentType)
			own := len(body) > 1024 && &body[0] != &content[0]
			if own != (copied > 0) && config.Kind != Fields {
				t.Errorf("%s of %s: %d bytes are reported as copied", format, contentType, copied)
			}
			if own && (int64(len(body)) > copied+1024 || int64(cap(body)) > copied+4096) {
				t.Errorf("%s of %s: %d bytes, room for %d, and Copied says %d", format, contentType, len(body), cap(body), copied)
			}
		}
	}
}
