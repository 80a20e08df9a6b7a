// SPDX-License-Identifier: Apache-2.0

package pocketbase

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
)

// Many clients change one record at the same moment, round after round. When
// they are done, the last event has the state that PocketBase shows.
//
// PocketBase takes the time for "updated" before it waits for its turn to
// write, so the change that is written last can have the older time, and with
// `version updated` its Show looks like an old copy until the next change.
// Hence articles get one more change, alone, before they are compared.
func TestContention(t *testing.T) {
	l := newLab(t)
	for _, tc := range []struct {
		collection, field string
		settle            bool
	}{
		{"notes", "text", false},
		{"articles", "title", true},
	} {
		t.Run(tc.collection, func(t *testing.T) {
			ctx := deadline(t)
			id := "contended000000"
			path := records(tc.collection)
			if _, err := l.want(ctx, http.StatusOK, http.MethodPost, path, map[string]any{"id": id, tc.field: "new"}); err != nil {
				t.Fatal(err)
			}
			path += "/" + id
			for round := range 10 {
				if err := l.stampede(ctx, 16, path, tc.field, round); err != nil {
					t.Fatal(err)
				}
				if tc.settle {
					alone := map[string]any{tc.field: fmt.Sprintf("alone %d", round)}
					if _, err := l.want(ctx, http.StatusOK, http.MethodPatch, path, alone); err != nil {
						t.Fatal(err)
					}
				}
				shown, err := l.show(ctx, tc.collection, id)
				if err != nil {
					t.Fatal(err)
				}
				events, err := l.receiver.await(ctx, tc.collection+"/"+id, func(events []delivery) bool {
					return len(events) > 0 && bytes.Equal(events[len(events)-1].payload, shown.body)
				})
				if err != nil {
					t.Fatalf("%v: PocketBase shows %s, the last event tells %s", err, shown.body, lastOf(events))
				}
				checkEach(t, events)
			}
		})
	}
}

// stampede sends n changes of one record at once.
func (l *lab) stampede(ctx context.Context, n int, path, field string, round int) error {
	failed := make(chan error, n)
	var work sync.WaitGroup
	for client := range n {
		work.Go(func() {
			_, err := l.want(ctx, http.StatusOK, http.MethodPatch, path, map[string]any{field: fmt.Sprintf("%d by %d", round, client)})
			if err != nil {
				failed <- err
			}
		})
	}
	work.Wait()
	close(failed)
	return <-failed
}

// checkEach checks that a record's events are in sequence, and that each has
// another state than the one before.
func checkEach(t *testing.T, events []delivery) {
	t.Helper()
	for i, d := range events {
		if d.sequence != i+1 {
			t.Errorf("event %d has sequence %d", i+1, d.sequence)
		}
		if i > 0 && d.state() == events[i-1].state() {
			t.Errorf("event %d tells of no change: %s", i+1, d.payload)
		}
	}
}
