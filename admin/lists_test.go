// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"errors"
	"slices"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// A list whose first pages have nothing goes on until one has something, or to the end.
func TestSomeRows(t *testing.T) {
	broken := errors.New("input/output error")
	for name, test := range map[string]struct {
		pages [][]int
		fails int // the page that fails, if any
		want  []int
		next  queue.Cursor
		err   error
	}{
		"at once":   {pages: [][]int{{1, 2}, {3}}, want: []int{1, 2}, next: "1"},
		"later":     {pages: [][]int{{}, {}, {3}, {4}}, want: []int{3}, next: "3"},
		"nothing":   {pages: [][]int{{}, {}, {}}},
		"a failure": {pages: [][]int{{}, {}, {3}}, fails: 1, err: broken},
	} {
		at := 0
		got, next, err := some(queue.Page{}, func(page queue.Page) ([]int, queue.Cursor, error) {
			if want := queue.Cursor([]string{"", "1", "2", "3"}[at]); page.Cursor != want {
				t.Errorf("%s: page %d is read from %q", name, at, page.Cursor)
			}
			if test.fails > 0 && at == test.fails {
				return nil, "", broken
			}
			rows := test.pages[at]
			at++
			if at == len(test.pages) {
				return rows, "", nil
			}
			return rows, queue.Cursor([]string{"", "1", "2", "3"}[at]), nil
		})
		if !slices.Equal(got, test.want) || next != test.next || !errors.Is(err, test.err) {
			t.Errorf("%s: got %v, %q, %v", name, got, next, err)
		}
	}
}
