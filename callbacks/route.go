// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/shape"
)

// action does what a request asks for.
type action func(*call) (*answer, error)

// operation is what a method of a path does, and what is said of it.
type operation struct {
	do action
	about
}

// route is a path of the API, and what its methods do. A part in braces stands for any
// value, which is called so.
type route struct {
	path    string
	methods map[string]operation
}

// served is a route as it is served.
type served struct {
	route
	parsed shape.Path
	// shaped is nil for a route of ours.
	shaped *shaped
	// authorize finds out who asks, empty for the ways of the whole server.
	authorize []Authorize
}

// serve returns a route as it is served. Its path has been checked.
func serve(rt route) served {
	parsed, err := shape.ParsePath(rt.path)
	if err != nil {
		panic(err)
	}
	return served{route: rt, parsed: parsed}
}

// ofObject reports whether the names in the path are those of an object of the API's own.
func (s *served) ofObject() bool { return s.shaped != nil && s.shaped.object != "" }

// changes reports whether a request by a method may change something.
func (s *served) changes(method string) bool {
	if s.shaped != nil {
		return !s.shaped.does.Reads
	}
	return method != http.MethodGet && method != http.MethodHead
}

// matched is a route that matches a path, with the values of its names.
type matched struct {
	*served
	values map[string]string
}

// matches are the routes of a path, that which says most of it first.
type matches []matched

// match finds the routes of an escaped path. A slash at the end does not matter.
func match(routes []served, path string) (found matches) {
	for i := range routes {
		if values, is := routes[i].parsed.Match(path); is {
			found = append(found, matched{&routes[i], values})
		}
	}
	slices.SortStableFunc(found, func(a, b matched) int { return a.parsed.Compare(b.parsed) })
	return found
}

// of returns the route of a method, and what it does; nil if there is none.
func (m matches) of(method string) (*matched, action) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for i := range m {
		if do := m[i].methods[method].do; do != nil {
			return &m[i], do
		}
	}
	return nil, nil
}

// allow returns the methods of a path as Allow names them.
func (m matches) allow() string {
	all := map[string]bool{http.MethodOptions: true}
	for i := range m {
		for method := range m[i].methods {
			all[method] = true
		}
	}
	if all[http.MethodGet] {
		all[http.MethodHead] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(all)), ", ")
}
