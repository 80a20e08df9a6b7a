// SPDX-License-Identifier: Apache-2.0

package witness

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Change is a change of one object as the API's own feed tells it.
type Change struct {
	Object string
	// Op is what happened: create, change or delete. State is the state since, Gone
	// after a delete.
	Op, State string
}

func (c Change) String() string { return c.Op + " " + c.State }

// Exact reports, as an error, how events differ from the changes of a feed, of which
// each was awaited: each change has one event that tells the same.
func Exact(changes []Change, events []Event) error {
	return compare(changes, events, alive, func(told []Change, got []Event) error {
		for i := range max(len(told), len(got)) {
			switch {
			case i >= len(got):
				return fmt.Errorf("no event tells of change %d: %s", i+1, told[i])
			case i >= len(told):
				return fmt.Errorf("event %d tells of no change: %s %s", i+1, got[i].Op, got[i].Payload)
			case told[i].Op != got[i].Op || told[i].State != got[i].State:
				return fmt.Errorf("event %d is %s %s; the change is %s", i+1, got[i].Op, got[i].State, told[i])
			}
		}
		return nil
	})
}

// Merged reports, as an error, how events differ from the changes of a feed, of which
// none was awaited: an object's events tell some of its states, in the order of the
// feed, and the last of them.
func Merged(changes []Change, events []Event) error {
	return compare(changes, events, aliveOrDeleted, func(told []Change, got []Event) error {
		at := 0
		for i, e := range got {
			for at < len(told) && told[at].State != e.State {
				at++
			}
			if at == len(told) {
				return fmt.Errorf("event %d is not in the feed, or not in its order: %s %s", i+1, e.Op, e.State)
			}
			at++
		}
		// An object that lived only between two looks may have no event.
		last := Gone
		if len(got) > 0 {
			last = got[len(got)-1].State
		}
		if now := told[len(told)-1]; now.State != last {
			return fmt.Errorf("the last event tells %s; the last change is %s", last, now)
		}
		return nil
	})
}

// compare compares the changes and the events of each object, and checks that the
// events tell a possible life.
func compare(changes []Change, events []Event, alive func([]Event) error, of func(told []Change, got []Event) error) error {
	told, got := make(map[string][]Change), make(map[string][]Event)
	for _, c := range changes {
		told[c.Object] = append(told[c.Object], c)
	}
	for _, e := range events {
		got[e.Object] = append(got[e.Object], e)
	}
	var wrong []string
	for object, events := range got {
		if told[object] == nil {
			wrong = append(wrong, fmt.Sprintf("%s: events of an object that the feed does not know: %s %s", object, events[0].Op, events[0].Payload))
		}
	}
	for _, object := range slices.Sorted(maps.Keys(told)) {
		slices.SortStableFunc(got[object], func(a, b Event) int { return a.Sequence - b.Sequence })
		err := of(told[object], got[object])
		if err == nil {
			err = alive(got[object])
		}
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("%s: %v", object, err))
		}
	}
	if len(wrong) > 0 {
		more := ""
		if len(wrong) > 20 {
			more = fmt.Sprintf("\n… and %d more", len(wrong)-20)
			wrong = wrong[:20]
		}
		return fmt.Errorf("%s%s", strings.Join(wrong, "\n"), more)
	}
	return nil
}

// aliveOrDeleted is alive of an object that may have lived only between two looks before:
// then its first event may be that of a delete whose answer proved that it was there.
func aliveOrDeleted(events []Event) error {
	return lives(events, len(events) > 0 && events[0].State == Gone)
}

// alive checks that the events of an object that was new are those of a life: created,
// changed, and deleted before it is created again.
func alive(events []Event) error { return lives(events, false) }

func lives(events []Event, exists bool) error {
	for i, e := range events {
		want := "create"
		switch {
		case e.State == Gone && exists:
			want = "delete"
		case e.State == Gone:
			want = "nothing"
		case exists:
			want = "change"
		}
		if e.Op != want || e.Sequence != i+1 {
			return fmt.Errorf("event %d has sequence %d and tells of %s, not of %s: %s", i+1, e.Sequence, e.Op, want, e.Payload)
		}
		exists = e.State != Gone
	}
	return nil
}
