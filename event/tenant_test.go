// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestVisibleTo(t *testing.T) {
	for _, test := range []struct {
		owner    string
		audience Audience
		visible  []string // of "", "a" and "b"
	}{
		{"a", AudienceAll, []string{"", "a"}},
		{"b", AudienceAll, []string{"", "b"}},
		{"", AudienceAll, []string{""}},
		{"b", AudienceOperators, []string{""}},
		{"b", AudienceTenant, []string{"b"}},
		{"", AudienceTenant, nil},
		{UnknownTenant, AudienceAll, []string{""}},
	} {
		e := Event{Tenant: test.owner, Audience: test.audience}
		for _, tenant := range []string{"", "a", "b"} {
			if got := e.VisibleTo(tenant); got != slices.Contains(test.visible, tenant) {
				t.Errorf("%q %q visible to %q: %t", test.owner, test.audience, tenant, got)
			}
		}
	}
}

// The state before a change of tenant is the old tenant's and the operator's.
func TestPreviousIsItsTenants(t *testing.T) {
	fields, whole := Fields{"state": json.RawMessage(`"new"`)}, []byte(`{"state":"new"}`)
	for _, test := range []struct {
		previous string
		tenant   string
		seen     bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"", "b", false},
		{UnknownTenant, "b", false},
		{"a", "", true},
		{UnknownTenant, "", true},
	} {
		for _, e := range []Event{{Previous: fields}, {PreviousShow: whole}, {Previous: fields, PreviousShow: whole}} {
			e.Tenant, e.PreviousTenant, e.Payload = test.tenant, test.previous, []byte("{}")
			got := e.For(test.tenant)
			if has := got.Previous != nil || got.PreviousShow != nil; has != test.seen || string(got.Payload) != "{}" {
				t.Errorf("%q sees %+v of %q", test.tenant, got, test.previous)
			}
			if e.Previous == nil && e.PreviousShow == nil {
				t.Error("the event itself was changed")
			}
		}
	}
}

// A new owner gets the events of an object whose previous state is unknown, and
// operators those of the state that they know.
func TestHappenings(t *testing.T) {
	name := func(text string) Template {
		template, err := ParseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		return template
	}
	triggers := []Trigger{
		{Type: name("items.updated"), On: OpChange},
		{Type: name("items.left_a"), On: OpChange, Paths: []string{"owner"}, From: []string{"a"}},
		{Type: name("items.paid"), On: OpChange, Paths: []string{"state"}, To: []string{"paid"}},
	}
	transition := Transition{
		Op: OpChange, Show: NewDocument([]byte(`{"state":"paid","owner":"b"}`)),
		Previous: Fields{"state": json.RawMessage(`"paid"`), "owner": json.RawMessage(`"a"`)},
		Now:      Fields{"state": json.RawMessage(`"paid"`), "owner": json.RawMessage(`"b"`)},
	}
	for _, test := range []struct {
		handedOver bool
		want       []Happening
	}{
		{false, []Happening{{Type: "items.updated"}, {Type: "items.left_a"}}},
		{true, []Happening{{"items.updated", AudienceAll}, {"items.left_a", AudienceOperators}, {"items.paid", AudienceTenant}}},
	} {
		got, err := Happenings(triggers, transition, test.handedOver)
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("handed over %t: %+v, %v", test.handedOver, got, err)
		}
	}
}
