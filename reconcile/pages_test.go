// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// under lists what an API has by parents: pages are ids, "->" and what leads to the next,
// or the status of a refusal.
func under(resource string, parent *List, pages map[string]string, asked *[]string) List {
	return List{
		Resource: resource, ID: resource, Parent: parent,
		Read: func(_ context.Context, of event.Key, page string) (show.Show, error) {
			at := of.ID + page
			*asked = append(*asked, strings.TrimSpace(resource+" "+at))
			if text, found := pages[at]; found {
				return show.Show{Status: 200, Body: []byte(text)}, nil
			}
			return show.Show{Status: 404}, nil
		},
		Page: func(of event.Key, _ string, answer show.Show) (objects []Listed, next string, err error) {
			text, next, _ := strings.Cut(string(answer.Body), "->")
			for _, id := range strings.Fields(text) {
				objects = append(objects, Listed{Key: event.Key{Resource: resource, ID: strings.TrimPrefix(of.ID+"/"+id, "/")}})
			}
			return objects, next, nil
		},
	}
}

// A list that is asked for parent by parent has what all parents have that their list has
// now, of whatever depth; it fails if one of them cannot be read, or if no parent knows of
// it.
func TestListByParents(t *testing.T) {
	for name, tc := range map[string]struct {
		teams, projects, tasks map[string]string
		want                   string
		asked                  []string
	}{
		"all": {
			map[string]string{"": "t u"},
			map[string]string{"t": "a->2", "t2": "b", "u": "c"},
			map[string]string{"t/a": "1 2", "t/b": "", "u/c": "1"},
			"3 objects",
			[]string{"teams", "projects t", "projects t2", "projects u", "tasks t/a", "tasks t/b", "tasks u/c"},
		},
		"one was deleted meanwhile": {
			map[string]string{"": "t"},
			map[string]string{"t": "a b"},
			map[string]string{"t/b": "1"},
			"1 objects",
			[]string{"teams", "projects t", "tasks t/a", "tasks t/b"},
		},
		"no parents": {map[string]string{"": ""}, nil, nil, "0 objects", []string{"teams"}},
		"another path than the API has": {
			map[string]string{"": "t"},
			map[string]string{"t": "a b"},
			nil,
			"each of the 2 lists, of one of projects each, was answered with 404 or 410", nil,
		},
		"a second page that is refused": {
			map[string]string{"": "t"},
			map[string]string{"t": "a"},
			map[string]string{"t/a": "1->2"},
			"of projects/t/a: page 2 of the list was answered with 404", nil,
		},
		"a list of parents that fails": {nil, nil, nil, "the list of projects: the list of teams: page 1 of the list was answered with 404", nil},
		"pages in a circle": {
			map[string]string{"": "t"},
			map[string]string{"t": "a"},
			map[string]string{"t/a": "1->2", "t/a2": "2->2"},
			"of projects/t/a: " + errCircle.Error(), nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t)
				var asked []string
				teams := under("teams", nil, tc.teams, &asked)
				projects := under("projects", &teams, tc.projects, &asked)
				b.r.Apply(Plan{Lists: []List{under("tasks", &projects, tc.tasks, &asked)}})
				time.Sleep(10 * time.Millisecond)
				synctest.Wait()
				l := b.r.Listings()[0]
				got := fmt.Sprintf("%d objects", l.Objects)
				if l.Reason != "" {
					got = l.Reason
				}
				if got != tc.want || tc.asked != nil && !slices.Equal(asked, tc.asked) {
					t.Errorf("%s, want %s; asked for %q", got, tc.want, asked)
				}
				if _, err := b.store.Object(t.Context(), queue.ListKey("tasks")); (err == nil) != strings.HasSuffix(tc.want, " objects") {
					t.Errorf("the record of the list: %v", err)
				}
			})
		})
	}
}
