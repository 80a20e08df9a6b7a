// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// action does what a request asks for.
type action func(*call) (*answer, error)

// route is a path of the API, and what its methods do. A part in braces stands for any
// value, which is called so.
type route struct {
	path    string
	methods map[string]action
}

// methodsOf returns the methods of a route as Allow names them.
func (rt *route) allow() string {
	methods := slices.Collect(maps.Keys(rt.methods))
	if rt.methods[http.MethodGet] != nil {
		methods = append(methods, http.MethodHead)
	}
	methods = append(methods, http.MethodOptions)
	slices.Sort(methods)
	return strings.Join(methods, ", ")
}

// match finds the route of a path, and the values of its parts in braces. A slash at
// the end does not matter.
func match(routes []route, path string) (*route, map[string]string) {
	parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
	for i := range routes {
		if values, matches := matchParts(strings.Split(routes[i].path, "/"), parts); matches {
			return &routes[i], values
		}
	}
	return nil, nil
}

func matchParts(pattern, parts []string) (map[string]string, bool) {
	if len(pattern) != len(parts) {
		return nil, false
	}
	values := make(map[string]string)
	for i, part := range pattern {
		name, isValue := strings.CutPrefix(part, "{")
		switch {
		case isValue && parts[i] != "":
			values[strings.TrimSuffix(name, "}")] = parts[i]
		case part != parts[i]:
			return nil, false
		}
	}
	return values, true
}
