// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Limits of pages that bring nothing new.
const (
	// maxIdle ends a list whose pages are counted. One such page may be an accident:
	// objects that are made meanwhile push others onto the next page.
	maxIdle = 2
	// maxIdleCursors fails a list whose pages lead to one another. APIs that filter
	// a page after they have cut it answer with some empty ones.
	maxIdleCursors = 100
)

var (
	errCircle  = errors.New("the pages of the list lead in a circle: one leads to a page that was read before")
	errEndless = fmt.Errorf("the list does not end: %d pages in a row brought no new object, and each leads to another", maxIdleCursors)
)

// notePageIgnored is what a complete list leaves for operators if its second page was
// the first again.
const notePageIgnored = "the second page was the first again; if the API has more objects than that, it takes another parameter for the page"

// paging follows the pages of a list.
type paging struct {
	// counted is true if pages are counted, by whoever asks: then the API does not
	// say which is the last.
	counted bool
	// seen are the objects on all pages, and visited the pages.
	seen    map[event.Key]struct{}
	visited map[string]struct{}
	// idle counts the last pages in a row that brought nothing new, and fruitful
	// those before that did.
	idle, fruitful int
}

func newPaging(counted bool) *paging {
	return &paging{counted: counted, seen: make(map[event.Key]struct{}), visited: make(map[string]struct{})}
}

// turn takes a page, and returns the page after it: "" once the list is complete. An
// API may ignore the number of a page, or answer one behind the last with the last.
func (p *paging) turn(page string, objects []Listed, next string) (string, error) {
	p.visited[page] = struct{}{}
	before := len(p.seen)
	for _, object := range objects {
		p.seen[object.Key] = struct{}{}
	}
	if len(p.seen) > before {
		p.idle, p.fruitful = 0, p.fruitful+1
	} else {
		p.idle++
	}
	if next == "" {
		return "", nil
	}
	if p.counted && p.idle >= maxIdle {
		return "", nil
	}
	if _, again := p.visited[next]; again {
		return "", errCircle
	}
	if p.idle >= maxIdleCursors {
		return "", errEndless
	}
	return next, nil
}

// fresh returns those objects of a page that were on none before.
func (p *paging) fresh(objects []Listed) (fresh []Listed) {
	for _, object := range objects {
		if _, again := p.seen[object.Key]; !again {
			fresh = append(fresh, object)
		}
	}
	return fresh
}

// note returns what operators should know of a list that is complete, "" for nothing.
func (p *paging) note() string {
	if p.counted && p.fruitful == 1 && p.idle >= maxIdle {
		return notePageIgnored
	}
	return ""
}

// isPastEnd reports whether an answer may mean that the page before it was the last:
// many APIs refuse the number of a page that they do not have. It must be the answer
// twice, since a list that ends too early makes objects seem new later.
func (p *paging) isPastEnd(status int) bool {
	if !p.counted || len(p.visited) == 0 || len(p.seen) == 0 {
		return false
	}
	switch status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusGone, http.StatusRequestedRangeNotSatisfiable, http.StatusUnprocessableEntity:
		return true
	}
	return false
}
