// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"pgregory.net/rapid"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
)

func TestApply(t *testing.T) {
	const whole = `"patch":[{"op":"add","path":"","value":`
	for _, test := range []struct {
		name    string
		held    Document
		payload string
		want    Document
		changed bool
		err     error
	}{
		{
			name: "a create", payload: `{"base":null,"state":1,` + whole + `{"a":1}}]}`,
			want: Document{State: 1, Value: raw(`{"a":1}`)}, changed: true,
		},
		{
			name: "a change", held: Document{State: 1, Value: raw(`{"b":1.0,"a":1}`)},
			payload: `{"base":1,"state":3,"patch":[{"op":"replace","path":"/a","value":12345678901234567890.10},{"op":"add","path":"/c~1d","value":null}]}`,
			want:    Document{State: 3, Value: raw(`{"b":1.0,"a":12345678901234567890.10,"c/d":null}`)}, changed: true,
		},
		{
			name: "the other event of the change", held: Document{State: 3, Value: raw(`[1]`)},
			payload: `{"base":1,"state":3,"patch":[{"op":"add","path":"/0","value":0}]}`, want: Document{State: 3, Value: raw(`[1]`)},
		},
		{
			name: "something is missing", held: Document{State: 1, Value: raw(`{}`)}, payload: `{"base":2,"state":3,"patch":[]}`,
			want: Document{State: 1, Value: raw(`{}`)}, err: ErrBase,
		},
		{
			name: "nothing is held", payload: `{"base":2,"state":3,"patch":[]}`, err: ErrBase,
		},
		{
			name: "the whole, whatever is held", held: Document{State: 1, Value: raw(`{}`), Inexact: true}, payload: `{"base":null,"state":9,` + whole + `7}]}`,
			want: Document{State: 9, Value: raw(`7`)}, changed: true,
		},
		{
			name: "a delete", held: Document{State: 1, Value: raw(`{}`)}, payload: `{"base":null,"state":2,"deleted":true}`,
			want: Document{State: 2, Deleted: true}, changed: true,
		},
		{
			name: "a merge", held: Document{State: 1, Value: raw(`{"a":{"b":1,"c":2},"d":[1]}`)},
			payload: `{"base":1,"state":2,"merge":{"a":{"b":null,"e":[{"x":null}]},"d":{"f":1}}}`,
			want:    Document{State: 2, Value: raw(`{"a":{"c":2,"e":[{"x":null}]},"d":{"f":1}}`)}, changed: true,
		},
		{
			name: "a merge that is not exact", held: Document{State: 1, Value: raw(`{"a":1}`)}, payload: `{"base":1,"state":2,"exact":false,"merge":{"a":null}}`,
			want: Document{State: 2, Value: raw(`{}`), Inexact: true}, changed: true,
		},
		{
			name: "a merge of the whole has its nulls", payload: `{"base":null,"state":2,"exact":false,"merge":{"a":null}}`,
			want: Document{State: 2, Value: raw(`{"a":null}`)}, changed: true,
		},
		{
			name: "a merge after one that is not exact", held: Document{State: 2, Value: raw(`{}`), Inexact: true}, payload: `{"base":2,"state":3,"merge":{"b":1}}`,
			want: Document{State: 3, Value: raw(`{"b":1}`), Inexact: true}, changed: true,
		},
		{
			name: "a snapshot of what has had no event", held: Document{Value: raw(`{"a":1}`)}, payload: `{"base":null,"state":0,"merge":{"a":2}}`,
			want: Document{Value: raw(`{"a":2}`)}, changed: true,
		},
		{
			name: "an old snapshot", held: Document{State: 1, Value: raw(`{"a":1}`)}, payload: `{"base":null,"state":0,"merge":{"a":2}}`,
			want: Document{State: 1, Value: raw(`{"a":1}`)},
		},
		{name: "a difference to nothing", payload: `{"base":0,"state":0,"merge":{"a":2}}`, err: ErrPatch},
		{name: "null", payload: `{"base":null,"state":2,"merge":null}`, want: Document{State: 2, Value: raw(`null`)}, changed: true},
		{name: "bytes", payload: `{"base":null,"state":2,"data_base64":"AAE="}`, want: Document{State: 2, Data: []byte{0, 1}}, changed: true},
		{name: "no payload of these formats", payload: `{"type":"items.updated"}`, err: ErrPatch},
		{name: "no state", payload: `{"base":null,"patch":[]}`, err: ErrPatch},
		{name: "no difference", payload: `{"base":null,"state":2}`, err: ErrPatch},
		{
			name: "all or nothing", held: Document{State: 1, Value: raw(`{"a":1}`)}, want: Document{State: 1, Value: raw(`{"a":1}`)}, err: ErrPatch,
			payload: `{"base":1,"state":2,"patch":[{"op":"add","path":"/b","value":1},{"op":"remove","path":"/c"}]}`,
		},
		{
			name: "a name that is there twice", held: Document{State: 1, Value: raw(`{"a":1,"a":2}`)}, want: Document{State: 1, Value: raw(`{"a":1,"a":2}`)},
			payload: `{"base":1,"state":2,"patch":[{"op":"remove","path":"/a"}]}`, err: ErrPatch,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.held
			changed, err := got.Apply([]byte(test.payload))
			if changed != test.changed || !errors.Is(err, test.err) || !reflect.DeepEqual(got, test.want) {
				t.Errorf("%v, %v\ngot  %+v\nwant %+v", changed, err, got, test.want)
			}
		})
	}
}

func raw(text string) json.RawMessage { return json.RawMessage(text) }

// Of a patch, what is applied below the root is what another implementation makes of it.
func TestPatchAsOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := drawValue(3).Draw(t, "value")
		var operations []map[string]any
		for range rapid.IntRange(1, 3).Draw(t, "operations") {
			o := map[string]any{
				"op": rapid.SampledFrom([]string{"add", "remove", "replace"}).Draw(t, "op"), "path": rapid.StringMatching(`(/(a|b|~1|0|1|-)){1,3}`).Draw(t, "path"),
			}
			if o["op"] != "remove" {
				o["value"] = json.RawMessage(drawValue(1).Draw(t, "new"))
			}
			operations = append(operations, o)
		}
		patch, err := json.Marshal(operations)
		if err != nil {
			t.Fatal(err)
		}
		got, err := applyPatch(raw(value), patch)
		if err != nil {
			return // the library panics for some of these
		}
		theirs, refused := jsonpatch.DecodePatch(patch)
		if refused != nil {
			t.Fatal(refused)
		}
		options := jsonpatch.NewApplyOptions()
		options.SupportNegativeIndices = false
		want, refused := theirs.ApplyWithOptions([]byte(value), options)
		if refused != nil {
			t.Fatalf("%s with %s is %s, and the library says: %v", value, patch, got, refused)
		}
		if !same(got, want) {
			t.Fatalf("%s with %s is %s, want %s", value, patch, got, want)
		}
	})
}

// Of a merge patch, the result is what the algorithm of RFC 7396 gives. (The library of
// other tests also removes nulls within arrays.)
func TestMergeAsSpecified(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value, patch := drawValue(3).Draw(t, "value"), drawValue(3).Draw(t, "patch")
		want, err := json.Marshal(merged(decoded(raw(value)), decoded(raw(patch))))
		if err != nil {
			t.Fatal(err)
		}
		if got := applyMerge(raw(value), raw(patch)); !same(got, want) {
			t.Fatalf("%s with %s is %s, want %s", value, patch, got, want)
		}
	})
}

// merged is MergePatch of RFC 7396, section 2.
func merged(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	object, ok := target.(map[string]any)
	if !ok {
		object = make(map[string]any)
	}
	for name, value := range changes {
		if value == nil {
			delete(object, name)
			continue
		}
		object[name] = merged(object[name], value)
	}
	return object
}

// What the sender makes of any two states, applied to the first, is the second; in any
// order, and more than once.
func TestApplyWhatIsSent(t *testing.T) {
	for _, kind := range []payload.Kind{payload.Patch, payload.Merge} {
		format, err := payload.New(payload.Config{Kind: kind})
		if err != nil {
			t.Fatal(err)
		}
		t.Run(string(kind), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				var held Document
				previous := ""
				for n := range uint64(rapid.IntRange(1, 5).Draw(t, "events")) {
					now := drawValue(3).Draw(t, "now")
					e := someEvent("42", n+1)
					e.Payload, e.PreviousShow, e.Base, e.State = []byte(now), []byte(previous), n, n+1
					if n == 0 {
						e.Op, e.PreviousShow = event.OpCreate, nil
					}
					sent := format.Render(e).Bytes
					for range rapid.IntRange(1, 2).Draw(t, "times") {
						if _, err := held.Apply(sent); err != nil {
							t.Fatalf("%s: %v", sent, err)
						}
					}
					if held.State != n+1 || !held.Inexact && !same(held.Value, []byte(now)) {
						t.Fatalf("%s: held %+v, %s, want %s", sent, held, held.Value, now)
					}
					if held.Inexact && kind == payload.Patch {
						t.Fatal("a patch is exact")
					}
					previous = now
				}
			})
		})
	}
}

// same reports whether two JSON texts have the same members and the same digits.
func same(a, b []byte) bool { return reflect.DeepEqual(decoded(a), decoded(b)) }

func decoded(text []byte) (value any) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil {
		return fmt.Sprintf("no JSON: %s", text)
	}
	return value
}

func drawValue(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		kind := rapid.IntRange(0, 3).Draw(t, "kind")
		switch {
		case kind == 0 || depth == 0:
			return rapid.SampledFrom([]string{"null", "1", "1.0", "1e400", `"x"`, `"\u0000<"`, "true", "{}", "[]"}).Draw(t, "scalar")
		case kind == 1:
			elements := rapid.SliceOfN(drawValue(depth-1), 0, 3).Draw(t, "elements")
			var out bytes.Buffer
			for i, element := range elements {
				out.WriteString(map[bool]string{true: ", "}[i > 0] + element)
			}
			return "[" + out.String() + "]"
		default:
			return drawObject(depth).Draw(t, "object")
		}
	})
}

func drawObject(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		var out bytes.Buffer
		for i, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "/", "~", "0", "ü", "<"}), 0, 4, rapid.ID).Draw(t, "names") {
			quoted, _ := json.Marshal(name)
			out.WriteString(map[bool]string{true: " ,"}[i > 0])
			out.Write(quoted)
			out.WriteString(":" + drawValue(depth-1).Draw(t, "value"))
		}
		return "{" + out.String() + "}"
	})
}

// A payload of anybody never causes a panic, and what comes out is JSON.
func FuzzApply(f *testing.F) {
	f.Add(`{"a":[1]}`, `{"base":1,"state":2,"patch":[{"op":"add","path":"/a/-","value":2}]}`)
	f.Add(`{"a":1}`, `{"base":1,"state":2,"merge":{"a":null}}`)
	f.Add(`[`, `{"base":null,"state":2,"data_base64":"AA=="}`)
	f.Fuzz(func(t *testing.T, value, payload string) {
		d := Document{State: 1, Value: raw(value)}
		if changed, err := d.Apply([]byte(payload)); changed && err == nil && json.Valid(raw(value)) && d.Value != nil && !json.Valid(d.Value) {
			t.Errorf("it made %s", d.Value)
		}
	})
}
