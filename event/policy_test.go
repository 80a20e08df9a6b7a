// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestHash(t *testing.T) {
	a, b := NewHasher([32]byte{1}), NewHasher([32]byte{2})
	show := []byte(`{"a":1,"b":2}`)
	if !bytes.Equal(a.Show(NewDocument(show)), a.Show(NewDocument([]byte(`{ "b": 2, "a": 1 }`)))) {
		t.Error("the order of members changes the hash")
	}
	if bytes.Equal(a.Show(NewDocument(show)), a.Show(NewDocument([]byte(`{"a":1,"b":3}`)))) {
		t.Error("another value has the same hash")
	}
	if bytes.Equal(a.Show(NewDocument(show)), b.Show(NewDocument(show))) {
		t.Error("the key does not change the hash")
	}
}

// G5: an event's id depends on everything that makes the event, and on nothing
// else.
func TestID(t *testing.T) {
	key := Key{"items", "42"}
	ids := []string{
		ID([16]byte{1}, key, 1, "items.updated", []byte("h")),
		ID([16]byte{2}, key, 1, "items.updated", []byte("h")),
		ID([16]byte{1}, Key{"items", "43"}, 1, "items.updated", []byte("h")),
		ID([16]byte{1}, Key{"item", "s42"}, 1, "items.updated", []byte("h")),
		ID([16]byte{1}, key, 2, "items.updated", []byte("h")),
		ID([16]byte{1}, key, 1, "items.paid", []byte("h")),
		ID([16]byte{1}, key, 1, "items.updated", []byte("i")),
		ID([16]byte{1}, key, 1, "items.updated", nil),
	}
	for i, id := range ids {
		if strings.ContainsAny(id, ". ") || !strings.HasPrefix(id, "evt_") {
			t.Errorf("id %q is not fit to be signed", id)
		}
		if slices.Index(ids, id) != i {
			t.Errorf("ids %d and %d are the same", slices.Index(ids, id), i)
		}
	}
	if again := ID([16]byte{1}, key, 1, "items.updated", []byte("h")); again != ids[0] {
		t.Errorf("the same event has the ids %s and %s", ids[0], again)
	}
}

func TestCompareVersions(t *testing.T) {
	for i, tc := range []struct {
		a, b  string
		order int
		ok    bool
	}{
		{"1", "2", -1, true},
		{"10", "9", 1, true},
		{"2", "2", 0, true},
		{"9007199254740993", "9007199254740992", 1, true},
		{"1.5", "1.25", 1, true},
		{"2024-01-01T00:00:00Z", "2024-01-01T00:00:00.5Z", -1, true},
		{"2024-01-01T02:00:00+02:00", "2024-01-01T00:00:00Z", 0, true},
		{"2024-01-01T00:00:00.000000002Z", "2024-01-01T00:00:00.000000001Z", 1, true},
		{"2024-01-01 00:00:00.002Z", "2024-01-01 00:00:00.010Z", -1, true},
		{"2024-01-01 00:00:01Z", "2024-01-01 00:00:00.999Z", 1, true},
		{"2024-01-01 02:00:00.5+02:00", "2024-01-01T00:00:00.5Z", 0, true},
		{"2024-01-01 00:00:00", "2024-01-01 00:00:01", 0, false},
		{"2024-01-01 00:00:00Z", "2024-01-01  00:00:01Z", 0, false},
		{"2024-01-01 ", "2024-01-01 00:00:01Z", 0, false},
		{"2024-01-01_00:00:00Z", "2024-01-01_00:00:01Z", 0, false},
		{"", "1", 0, false},
		{"1", "", 0, false},
		{"", "", 0, false},
		{"abc", "abd", 0, false},
		{"abc", "abc", 0, true},
		{"1", "2024-01-01T00:00:00Z", 0, false},
		{"1e999999999", "1", 0, false},
		{strings.Repeat("9", 1000), "1", 0, false},
	} {
		order, ok := CompareVersions(tc.a, tc.b)
		if order != tc.order || ok != tc.ok {
			t.Errorf("Test %d: CompareVersions(%q, %q) = %d, %v; want %d, %v", i, tc.a, tc.b, order, ok, tc.order, tc.ok)
		}
	}
}

func TestTypes(t *testing.T) {
	name := func(s string) Template {
		template, err := ParseTemplate(s)
		if err != nil {
			t.Fatal(err)
		}
		return template
	}
	triggers := []Trigger{
		{Type: name("items.created"), On: OpCreate},
		{Type: name("items.updated"), On: OpChange},
		{Type: name("items.paid"), On: OpChange, Paths: []string{"state"}, To: []string{"completed"}},
		{Type: name("items.undone"), On: OpChange, Paths: []string{"state"}, From: []string{"completed"}},
		{Type: name("items.moved"), On: OpChange, Paths: []string{"city", "street"}},
		{Type: name("items.moved"), On: OpChange, Paths: []string{"zip"}},
		{Type: name("items.state.{state}"), On: OpChange, Paths: []string{"state"}},
		{Type: name("items.deleted.{state}"), On: OpDelete},
	}
	paths := Paths(triggers)
	if want := []string{"city", "state", "street", "zip"}; !slices.Equal(paths, want) {
		t.Fatalf("Paths = %v, want %v", paths, want)
	}
	see := func(show string) Fields { return Watch(NewDocument([]byte(show)), paths, nil, Hasher{}) }
	for i, tc := range []struct {
		op       Op
		previous Fields
		now      string
		want     []string
	}{
		{OpCreate, nil, `{"state":"completed"}`, []string{"items.created"}},
		{OpChange, see(`{"state":"pending"}`), `{"state":"pending","x":1}`, []string{"items.updated"}},
		{OpChange, see(`{"state":"pending"}`), `{"state":"completed"}`, []string{"items.updated", "items.paid", "items.state.completed"}},
		{OpChange, see(`{"state":"completed"}`), `{"state":"refunded"}`, []string{"items.updated", "items.undone", "items.state.refunded"}},
		// A type that stands on several lines makes one event.
		{OpChange, see(`{"zip":1,"city":"a"}`), `{"zip":2,"city":"b"}`, []string{"items.updated", "items.moved"}},
		{OpChange, see(`{"city":{"a":1,"b":2}}`), `{"city":{"b":2, "a":1}}`, []string{"items.updated"}},
		{OpChange, see(`{"city":null}`), `{}`, []string{"items.updated", "items.moved"}},
		// If the previous state is unknown, only "from" stays silent.
		{OpChange, nil, `{"state":"completed"}`, []string{"items.updated", "items.paid", "items.moved", "items.state.completed"}},
		{OpDelete, see(`{"state":"pending"}`), "", []string{"items.deleted.pending"}},
		{OpDelete, nil, "", []string{"items.deleted.none"}},
	} {
		transition := Transition{Op: tc.op, Previous: tc.previous}
		if tc.now != "" {
			transition.Show, transition.Now = NewDocument([]byte(tc.now)), see(tc.now)
		}
		if got, err := Types(triggers, transition); err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("Test %d: Types = %v, %v; want %v", i, got, err, tc.want)
		}
	}
}

func TestTemplate(t *testing.T) {
	for i, tc := range []struct{ text, show, want string }{
		{"items.updated", `{}`, "items.updated"},
		{"items.{state}", `{"state":"a"}`, "items.a"},
		{"{a}.{b.c}-x", `{"a":1,"b":{"c":true}}`, "1.true-x"},
		{"items.{state}", `{"state":"a.b c\nd"}`, "items.a_b_c_d"},
		{"items.{state}", `{}`, "items.none"},
		{"items.{state}", `{"state":null}`, "items.none"},
		{"items.{state}", `{"state":""}`, "items.none"},
		{"items.{state}", `{"state":"` + strings.Repeat("x", 1000) + `"}`, "items." + strings.Repeat("x", 64)},
	} {
		template, err := ParseTemplate(tc.text)
		if err != nil {
			t.Errorf("Test %d: %v", i, err)
			continue
		}
		if got := template.Render(Watch(NewDocument([]byte(tc.show)), template.Paths(), nil, Hasher{})); got != tc.want {
			t.Errorf("Test %d: %s of %s = %s, want %s", i, tc.text, tc.show, got, tc.want)
		}
	}
	for _, bad := range []string{"", "items updated", "items/{x}", "items.{x", "items.{}", "items}", "é"} {
		if template, err := ParseTemplate(bad); err == nil {
			t.Errorf("%q was accepted as %v", bad, template)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add("items.{state}", `{"state":"x"}`)
	f.Add("{a}{b}", `[]`)
	f.Add("{", `nul`)
	f.Fuzz(func(t *testing.T, text, show string) {
		template, err := ParseTemplate(text)
		if err != nil {
			return
		}
		name := template.Render(Watch(NewDocument([]byte(show)), template.Paths(), nil, Hasher{}))
		if name == "" || strings.IndexFunc(name, NotTypeRune) >= 0 {
			t.Errorf("%q of %q rendered %q", text, show, name)
		}
	})
}

func TestFieldsJSON(t *testing.T) {
	fields := Watch(NewDocument([]byte(`{"a":{"b":"x"},"n":9007199254740993}`)), []string{"a.b", "n", "missing"}, nil, Hasher{})
	got, err := json.Marshal(fields)
	if want := `{"a.b":"x","n":9007199254740993}`; err != nil || string(got) != want {
		t.Errorf("Marshal = %s, %v; want %s", got, err, want)
	}
	if _, watched := fields["missing"]; !watched {
		t.Error("a path that the Show lacks looks like one that was not watched")
	}
	if got := Watch(NewDocument([]byte(`{"a":`)), []string{"a"}, nil, Hasher{}); !reflect.DeepEqual(got, Fields{"a": nil}) {
		t.Errorf("fields of invalid JSON = %v", got)
	}
}
