// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// told returns what the events of a step say of the change, each as "sequence: base
// state pointers".
func told(reconciled queue.Reconciled) string {
	var all []string
	for _, e := range reconciled.Events {
		all = append(all, fmt.Sprintf("%d: %d %d %q", e.Sequence, e.Base, e.State, e.Changed.Header()))
	}
	return strings.Join(all, "; ")
}

func keeping(t *testing.T) *Resource {
	r := testResource(t)
	r.KeepShow = true
	return r
}

// What changed is told of each transition whose state before is kept, and which
// event had that state.
func TestChanged(t *testing.T) {
	r := keeping(t)
	expect := func(what string, got queue.Reconciled, want string) *event.Snapshot {
		t.Helper()
		if told(got) != want {
			t.Errorf("%s: told %s, want %s", what, told(got), want)
		}
		return got.Snapshot
	}
	s := expect("a create", step(t, r, nil, queue.HintCreated, answer(200, `{"state":"new"}`)), `1: 0 1 "#"`)
	s = expect("two events of a change", step(t, r, s, queue.HintUpdated, answer(200, `{"state":"paid","a":{"b":1}}`)), `2: 1 3 "/a, /state"; 3: 1 3 "/a, /state"`)
	s = expect("the next", step(t, r, s, queue.HintUpdated, answer(200, `{"state":"paid","a":{"b":1.0}}`)), `4: 3 4 "/a/b"`)
	r.Triggers = nil
	s = expect("a change without an event", step(t, r, s, queue.HintUpdated, answer(200, `{"state":"paid"}`)), ``)
	r.Triggers = keeping(t).Triggers
	s = expect("after it", step(t, r, s, queue.HintUpdated, answer(200, `{"state":"paid","n":1}`)), `5: 0 5 "/n"`)
	s = expect("and then", step(t, r, s, queue.HintUpdated, answer(200, `{"state":"paid","n":2}`)), `6: 5 6 "/n"`)
	s = expect("a delete", step(t, r, s, queue.HintDeleted, answer(404, "")), `7: 6 7 "#"`)
	s = expect("made again", step(t, r, s, queue.HintCreated, answer(200, `{"state":"new"}`)), `8: 0 8 "#"`)

	s.Show = nil
	s = expect("nothing was kept", step(t, r, s, queue.HintUpdated, answer(200, `{"state":"old"}`)), `9: 0 9 ""`)
	r.KeepShow = false
	expect("nothing is kept", step(t, r, s, queue.HintUpdated, answer(200, `{"state":"older"}`)), `10: 9 0 ""`)

	r = keeping(t)
	expect("first seen", step(t, r, nil, queue.HintUpdated, answer(200, `{"state":"new"}`)), `1: 0 1 ""`)
	s = step(t, r, nil, queue.HintLooked, answer(200, `{"state":"new"}`)).Snapshot
	expect("seen, but never told", step(t, r, s, queue.HintUpdated, answer(200, `{"state":"old"}`)), `1: 0 1 "/state"`)
}

// A hidden field is not told of, neither by a pointer nor as it was before it was
// hidden.
func TestChangedOfHidden(t *testing.T) {
	hide := func(r *Resource, paths ...string) {
		var err error
		if r.Projection, err = event.NewProjection(paths, nil); err != nil {
			t.Fatal(err)
		}
	}
	type stage struct {
		hidden []string
		show   string
		want   string
	}
	for name, stages := range map[string][]stage{
		"only hidden": {
			{[]string{"ssn"}, `{"n":1,"ssn":"secret-1"}`, `1: 0 1 "#"`},
			{[]string{"ssn"}, `{"n":1,"ssn":"secret-2"}`, `2: 1 2 "none"`},
			{[]string{"ssn"}, `{"n":2,"ssn":"secret-3"}`, `3: 2 3 "/n"`},
		},
		"hidden since": {
			{nil, `{"n":1,"ssn":"secret-1"}`, `1: 0 1 "#"`},
			{[]string{"ssn"}, `{"n":2,"ssn":"secret-1"}`, `2: 1 2 "/n"`},
			{[]string{"ssn"}, `{"n":2}`, `3: 2 3 "none"`},
		},
		"a watched field hidden since": {
			{nil, `{"n":1,"state":"secret-1"}`, `1: 0 1 "#"`},
			{[]string{"state"}, `{"n":2,"state":"secret-1"}`, `2: 1 2 "/n"`},
		},
		"a watched field hidden since, and gone": {
			{nil, `{"n":1,"state":"secret-1"}`, `1: 0 1 "#"`},
			{[]string{"state"}, `{"n":2}`, `2: 1 2 "/n"`},
		},
		"shown since": {
			{[]string{"ssn"}, `{"n":1,"ssn":"x"}`, `1: 0 1 "#"`},
			{nil, `{"n":2,"ssn":"x"}`, `2: 1 2 "/n, /ssn"`},
		},
		"within a list, which hiding shortens": {
			{[]string{"l.0"}, `{"n":1,"l":["secret-1","b","c"]}`, `1: 0 1 "#"`},
			{[]string{"l.0"}, `{"n":2,"l":["secret-1","b","c"]}`, `2: 1 2 "/n"`},
		},
		"of XML": {
			{[]string{"a.ssn"}, `<a n="1"><ssn>secret-1</ssn><b>1</b></a>`, `1: 0 1 "#"`},
			{[]string{"a.ssn"}, `<a n="2"><ssn>secret-2</ssn><b>1</b><b>2</b></a>`, `2: 1 2 "/a/-n, /a/b"`},
			{[]string{"a.ssn", "a.-n"}, `<a n="3"><ssn>secret-2</ssn><b>1</b><!-- --><b>2</b></a>`, `3: 2 3 "none"`},
		},
		"of XML that cannot be read any more": {
			{nil, `<a n="1"/><!-- secret-1 -->`, `1: 0 1 "#"`},
			{[]string{"a.m"}, `<a n="2"/>`, `2: 1 2 "/a/-n"`},
		},
	} {
		var s *event.Snapshot
		for i, stage := range stages {
			r := keeping(t)
			hide(r, stage.hidden...)
			hints := queue.HintUpdated
			if i == 0 {
				hints = queue.HintCreated
			}
			a := answer(200, stage.show)
			if strings.HasPrefix(stage.show, "<") {
				a.Header = http.Header{"Content-Type": {"text/xml"}}
			}
			got := step(t, r, s, hints, a)
			if told(got) != stage.want {
				t.Errorf("%s: told %s, want %s", name, told(got), stage.want)
			}
			for _, e := range got.Events {
				if all := fmt.Sprintf("%s %s %s %s", e.Payload, e.PreviousShow, e.Previous, e.Changed); len(stage.hidden) > 0 && strings.Contains(all, "secret-") {
					t.Errorf("%s: %s", name, all)
				}
			}
			s = got.Snapshot
		}
	}
}

// Whoever an object has passed to learns as little of what changed as of what was.
func TestChangedHandedOver(t *testing.T) {
	r := owned(t)
	s := step(t, r, nil, queue.HintCreated, answer(200, `{"owner":"a","secret":1}`)).Snapshot
	got := step(t, r, s, queue.HintUpdated, answer(200, `{"owner":"b","state":"paid"}`))
	for _, e := range got.Events {
		if all := fmt.Sprint(e.For("").Changed, e.For("").Base); all != "[/owner /secret /state] 1" {
			t.Errorf("operators get %s", all)
		}
		seen := e.For("b")
		if seen.Changed != nil || seen.Base != 0 || seen.PreviousShow != nil || seen.DeliveryID() == e.DeliveryID() {
			t.Errorf("its tenant gets %q, %d", seen.Changed, seen.Base)
		}
		// The previous Show may have expired before the event.
		e.PreviousShow, e.Previous = nil, nil
		if seen := e.For("b"); seen.Changed != nil || seen.Base != 0 {
			t.Errorf("without the Show, its tenant gets %q, %d", seen.Changed, seen.Base)
		}
	}
	got = step(t, r, got.Snapshot, queue.HintUpdated, answer(200, `{"owner":"b","state":"new"}`))
	if seen := got.Events[0].For("b"); seen.Changed.Header() != "/state" || seen.Base == 0 {
		t.Errorf("of its own, it gets %q, %d", seen.Changed, seen.Base)
	}
}
