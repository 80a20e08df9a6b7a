// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// maxPage is how many rows a page of a list has at most.
const maxPage = 200

// List is a page of a list. Next is the cursor of the following page, absent after the
// last.
type List[T any] struct {
	Data []T    `json:"data"`
	Next string `json:"next,omitempty"`
}

// parameters reads a request's parameters. One that is not known, empty, or given
// twice is refused: the answer would be to another question.
func parameters(r *http.Request, takes ...string) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, malformed.problem("the parameters cannot be read")
	}
	var wrong []FieldProblem
	for name, given := range values {
		at := "?" + escape(name)
		switch {
		case !slices.Contains(takes, name) && len(takes) == 0:
			wrong = append(wrong, FieldProblem{at, "there is no such parameter", "leave it out; none is taken"})
		case !slices.Contains(takes, name):
			wrong = append(wrong, FieldProblem{at, "there is no such parameter", "leave it out; there are " + strings.Join(takes, ", ")})
		case len(given) > 1:
			wrong = append(wrong, FieldProblem{at, "it is given more than once", "give it once"})
		case given[0] == "":
			wrong = append(wrong, FieldProblem{at, "it is empty", "give it a value, or leave it out"})
		}
	}
	if len(wrong) > 0 {
		slices.SortFunc(wrong, func(a, b FieldProblem) int { return strings.Compare(a.Pointer, b.Pointer) })
		return nil, malformed.in(wrong...)
	}
	return values, nil
}

// pageOf returns the page that parameters ask for, of at most so many rows.
func pageOf(values url.Values, most int) (queue.Page, error) {
	page := queue.Page{Cursor: queue.Cursor(values.Get("cursor")), Limit: queue.DefaultLimit}
	if text := values.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > most {
			return page, malformed.in(FieldProblem{"?limit", "it is no number that is possible", fmt.Sprintf("say 1 to %d", most)})
		}
		page.Limit = n
	}
	return page, nil
}
