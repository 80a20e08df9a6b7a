// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"net/http"
	"slices"
	"strings"
)

// Found is the rule of one resource that a request matches.
type Found struct {
	// Match is the rule.
	Match Match
	// Method is the method that counts for it: the request's own, or the one that
	// the request states.
	Method string
}

// FindEach finds the rule of every resource that a request matches: the most specific
// one decides within a resource only, as one request may change objects of several.
// First is what Find has found. It returns nothing if that is all, and otherwise all of
// them, the resource of first before all others.
//
// Where one rule has text and another a placeholder, the text is no object's id: after
// PUT /items/import, which another resource has a rule about, there is no item "import".
func (s *Set) FindEach(request *Request, first *Match) []Found {
	resources := s.about(request, first.Rule.Resource)
	if len(resources) == 0 {
		return nil
	}
	method, states := request.HTTP.Method, len(request.Overrides) > 0 && request.HTTP.Method == http.MethodPost
	escaped := request.HTTP.URL.EscapedPath()
	var all []Found
	for _, r := range append([]*Resource{first.Rule.Resource}, resources...) {
		var found Match
		request.Method = method
		if states && !r.rules.findStated(request, &found) || !states && !r.rules.find(request, &found) {
			continue
		}
		switch {
		case errors.Is(first.Unread, errSpelling) && found.Unread == nil:
			// To another reader, the path leads to another resource.
			found.Unread = errSpelling
		case first.Unread == nil && errors.Is(found.Unread, errSpelling) && (isPlain(escaped) || first.Rule.Resource.Slashes && keepsSegments(escaped)):
			continue // no other reading than that of first counts
		case found.Rule.pattern.isShadowed(&first.Rule.pattern):
			continue
		}
		all = append(all, Found{found, request.Method})
	}
	return all
}

// about returns the resources, other than one, that have a rule about the path and the
// method of a request, whatever else it demands.
func (s *Set) about(request *Request, other *Resource) []*Resource {
	if len(s.Resources) == 1 {
		return nil
	}
	method := request.HTTP.Method
	if len(request.Overrides) > 0 && method == http.MethodPost {
		method = anyMethod
	}
	var all []*Resource
	visit := func(r *Rule) {
		if r.Resource != other && !slices.Contains(all, r.Resource) {
			all = append(all, r.Resource)
		}
	}
	escaped := request.HTTP.URL.EscapedPath()
	paths := []string{mergeSlashes(escaped)}
	if !isPlain(escaped) {
		paths = spellings(escaped)
	}
	for _, path := range paths {
		s.rules.root.each(method, path, path, 0, visit)
	}
	return all
}

// each calls visit for each rule of a path and a method, without regard to case and to
// what else a rule demands of the request.
func (n *node) each(method, rest, whole string, depth int, visit func(*Rule)) {
	take := func(rules []*Rule) {
		for _, r := range rules {
			if accepts(r.methods, method) {
				visit(r)
			}
		}
	}
	if rest == "" || rest == "/" {
		take(n.leaves)
	} else if depth < maxSegments {
		segment, after := nextSegment(rest)
		for _, child := range n.folded[strings.ToLower(unescape(segment))] {
			child.each(method, after, whole, depth, visit)
		}
		if n.placeholder != nil && segment != "" {
			n.placeholder.each(method, after, whole, depth+1, visit)
		}
	}
	for _, sets := range [][]*spanRules{n.spans, n.rests} {
		for _, set := range sets {
			if _, _, ok := set.pattern.values(whole, true); ok {
				take(set.rules)
			}
		}
	}
	for _, r := range n.expressions {
		if _, ok := r.pattern.exec(whole, nil); ok {
			take([]*Rule{r})
		}
	}
	if rest != "" {
		take(n.tails)
	}
}

// isShadowed reports whether a more specific pattern has text where this one has a
// placeholder.
func (p *pattern) isShadowed(specific *pattern) bool {
	for i := range min(len(p.segments), len(specific.segments)) {
		if p.segments[i] == "" && specific.segments[i] != "" {
			return true
		}
	}
	for i := range min(len(p.spans), len(specific.segments)) {
		if p.spans[i].names > 0 && specific.segments[i] != "" {
			return true
		}
	}
	return false
}
