// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// tree finds the rule that a request matches. It is a tree of path segments, so
// its cost grows with the length of the path and not with the number of rules.
// If several rules match, the most specific one is taken: text before a placeholder
// beside text, that before a placeholder alone, then an expression, a placeholder for
// all segments that follow, and "*", decided at the first segment in which they differ.
//
// A tree is not changed once all rules are added.
type tree struct {
	root node
	// touches is true if any rule touches other objects.
	touches bool
	// safe is true if a rule names a safe method, and capitals if one has capital
	// letters in its path.
	safe, capitals bool
	// endings are what resources leave out at the end of a path.
	endings []*endings
}

// node is what follows a number of segments.
type node struct {
	// text and placeholder lead to the nodes after one more segment.
	text        map[string]*node
	placeholder *node
	// folded is text by names in lower case: many servers route without regard
	// to case.
	folded map[string][]*node
	// expressions are the rules that continue with an expression, tails those
	// that continue with "*", and leaves those that end here.
	expressions []*Rule
	// spans are the rules that continue with a name beside text, and rests those
	// that continue with a name for all segments that follow.
	spans, rests []*spanRules
	tails        []*Rule
	leaves       []*Rule
}

// add adds a rule. It fails if another rule matches the same requests.
func (t *tree) add(r *Rule) error {
	list := t.place(r)
	for _, other := range *list {
		if other.pattern.expression == r.pattern.expression && overlap(other.methods, r.methods) && !apart(other, r) {
			return fmt.Errorf("%q of resource %s and %q of resource %s match the same requests; "+
				"remove one of them, or tell them apart, as `where request:method is item.update`",
				other.Name, other.Resource.Name, r.Name, r.Resource.Name)
		}
	}
	*list = append(*list, r)
	return nil
}

// addAll adds a rule beside all others, those of other resources that match the same
// requests, too.
func (t *tree) addAll(r *Rule) {
	list := t.place(r)
	*list = append(*list, r)
}

// place makes room for a rule, and returns the list that it belongs to.
func (t *tree) place(r *Rule) *[]*Rule {
	t.touches = t.touches || len(r.Touches) > 0
	t.safe = t.safe || slices.ContainsFunc(r.methods, IsSafe)
	at := &t.root
	for _, segment := range r.pattern.segments {
		if segment == "" {
			if at.placeholder == nil {
				at.placeholder = new(node)
			}
			at = at.placeholder
			continue
		}
		if at.text == nil {
			at.text = make(map[string]*node)
			at.folded = make(map[string][]*node)
		}
		if at.text[segment] == nil {
			at.text[segment] = new(node)
			lower := strings.ToLower(segment)
			at.folded[lower] = append(at.folded[lower], at.text[segment])
			t.capitals = t.capitals || lower != segment
		}
		at = at.text[segment]
	}
	switch {
	case r.pattern.spans != nil:
		return at.addSpans(&r.pattern)
	case r.pattern.expression != "":
		return &at.expressions
	case r.pattern.tail:
		return &at.tails
	}
	return &at.leaves
}

// apart reports whether two rules of one path demand different things of the
// request. A rule that demands something goes before one that demands nothing.
func apart(a, b *Rule) bool {
	if a.matched || b.matched {
		return true
	}
	return !implied(a, b) || !implied(b, a)
}

// implied reports whether each condition of a can hold together with one of b on
// the same value.
func implied(a, b *Rule) bool {
	for _, c := range a.where {
		if !slices.ContainsFunc(b.where, func(d Condition) bool { return c.value == d.value && c.meets(d) }) {
			return false
		}
	}
	return true
}

// overlap reports whether the methods of two rules have one in common. No methods
// stand for every unsafe one, but a rule that names its methods is more specific.
func overlap(a, b []string) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	return slices.ContainsFunc(a, func(method string) bool { return slices.Contains(b, method) })
}

// find finds the rule that a request matches, and fills found. Where servers read
// the path in different ways, and any of them leads to a rule, the request matches
// it, but cannot be read.
func (t *tree) find(request *Request, found *Match) bool {
	found.count, found.Unread, found.Unsure = 0, nil, nil
	if !t.safe && IsSafe(request.Method) {
		return false
	}
	escaped := request.HTTP.URL.EscapedPath()
	if len(t.endings) == 0 {
		return t.findPath(request, escaped, found)
	}
	if t.findEnded(request, escaped, found) {
		return true
	}
	if !t.findPath(request, escaped, found) {
		return false
	}
	if e := found.Rule.Resource.endings; e.resembles(escaped) && !found.Rule.pattern.spells(e) {
		found.Unread = errSpelling
	}
	return true
}

// findPath finds the rule of a request with an escaped path.
func (t *tree) findPath(request *Request, escaped string, found *Match) bool {
	if !isPlain(escaped) {
		return t.findSpelled(request, escaped, found)
	}
	escaped = mergeSlashes(escaped)
	if t.root.find(request, escaped, escaped, found) {
		return true
	}
	if (t.capitals || hasCapitals(escaped)) && t.root.loose(request.Method, escaped, escaped, found) {
		found.Unread = errSpelling
		return true
	}
	return false
}

// findSpelled finds the rule for a path that servers may read in different ways.
func (t *tree) findSpelled(request *Request, escaped string, found *Match) bool {
	all := spellings(escaped)
	hit := t.root.find(request, all[0], all[0], found)
	if len(all) == 1 || hit && found.Rule.Resource.Slashes && keepsSegments(escaped) {
		if !hit && t.root.loose(request.Method, all[0], all[0], found) && !found.Rule.narrowed() {
			found.Unread = errSpelling
			return true
		}
		return hit
	}
	for _, path := range all {
		var other Match
		ok := t.root.loose(request.Method, path, path, &other)
		switch {
		case !hit && ok:
			*found = other
			found.Unread = errSpelling
			return true
		case hit && (!ok || other.Rule.pattern.text != found.Rule.pattern.text || !slices.Equal(other.Values(), found.Values())):
			found.Unread = errSpelling
			return true
		}
	}
	return hit
}

// keepsSegments reports whether an escaped path means the same to every server that
// splits it before it decodes it.
func keepsSegments(escaped string) bool {
	for segment := range strings.SplitSeq(escaped, "/") {
		plain := unescape(segment)
		if plain == "." || plain == ".." || strings.Contains(segment, ";") || !utf8.ValidString(plain) {
			return false
		}
	}
	return true
}

// hasCapitals reports whether a path has capital letters.
func hasCapitals(path string) bool {
	return strings.ContainsFunc(path, func(c rune) bool { return c >= 'A' && c <= 'Z' })
}

// loose finds the rule of a path and a method as find does, without regard to case
// and to what else a rule demands of the request.
func (n *node) loose(method, rest, whole string, found *Match) bool {
	take := func(rules []*Rule) bool {
		for _, r := range rules {
			if r.takes(method, whole) {
				found.Rule = r
				return true
			}
		}
		return false
	}
	if rest == "" || rest == "/" {
		if take(n.leaves) {
			return true
		}
	} else if found.count < maxSegments {
		segment, after := nextSegment(rest)
		plain := unescape(segment)
		for _, child := range n.folded[strings.ToLower(plain)] {
			if child.loose(method, after, whole, found) {
				return true
			}
		}
		if looseSpans(n.spans, method, whole, found) {
			return true
		}
		if n.placeholder != nil && segment != "" {
			found.values[found.count] = plain
			found.count++
			if n.placeholder.loose(method, after, whole, found) {
				return true
			}
			found.count--
		}
	}
	for _, r := range n.expressions {
		if !accepts(r.methods, method) {
			continue
		}
		if values, ok := r.pattern.exec(whole, nil); ok && len(values) <= maxSegments {
			found.Rule, found.count = r, copy(found.values[:], values)
			return true
		}
	}
	return looseSpans(n.rests, method, whole, found) || rest != "" && take(n.tails)
}

// find walks the tree. Rest is the path after the node: "" or with a slash first;
// whole is the whole path.
func (n *node) find(request *Request, rest, whole string, found *Match) bool {
	if rest == "" || rest == "/" {
		if pick(n.leaves, request, whole, found) {
			return true
		}
	} else if found.count < maxSegments {
		segment, after := nextSegment(rest)
		plain := unescape(segment)
		if child := n.text[plain]; child != nil && child.find(request, after, whole, found) {
			return true
		}
		if findSpans(n.spans, request, whole, found) {
			return true
		}
		if n.placeholder != nil && segment != "" {
			found.values[found.count] = plain
			found.count++
			if n.placeholder.find(request, after, whole, found) {
				if n.text[plain] == nil && len(n.text) > 0 && len(n.folded[strings.ToLower(plain)]) > 0 ||
					len(n.spans) > 0 && looseSpans(n.spans, request.Method, whole, new(Match)) {
					// To a server that routes without regard to case, this is
					// the text of another rule.
					found.Unread = errSpelling
				}
				return true
			}
			found.count--
		}
	}
	for _, r := range n.expressions {
		if !accepts(r.methods, request.Method) {
			continue
		}
		if values, ok := r.pattern.exec(whole, nil); ok && len(values) <= maxSegments {
			if v := r.judge(request, values); v.holds {
				found.Rule, found.count = r, copy(found.values[:], values)
				found.doubt(v)
				return true
			}
		}
	}
	return findSpans(n.rests, request, whole, found) || rest != "" && pick(n.tails, request, whole, found)
}

// pick takes the rule of a list that a request matches: one that demands
// something of the request before one that demands nothing, then one that names
// the method before one that takes any. If it depends on the reader which rule that
// is, nobody knows what the request asks for.
func pick(rules []*Rule, request *Request, whole string, found *Match) bool {
	var chosen *Rule
	var of verdict
	rank, possible := 0, 0
	for _, r := range rules {
		own := 1
		if len(r.methods) > 0 {
			own++
		}
		if r.narrowed() {
			own += 2
		}
		if own <= rank && !of.unsure && of.unread == nil || !r.takes(request.Method, whole) {
			continue
		}
		v := r.judge(request, found.Values())
		if !v.holds {
			continue
		}
		possible++
		if chosen != nil && own <= rank {
			continue
		}
		if chosen, rank, of = r, own, v; !v.unsure && v.unread == nil {
			possible = 1 // whatever the others are
		}
	}
	if chosen == nil {
		return false
	}
	found.Rule = chosen
	found.doubt(of)
	if possible > 1 && of.unsure && of.unread == nil {
		found.Unread = errTwoRules
	}
	return true
}

// doubt notes that it is not sure that the request meets what the rule demands.
func (m *Match) doubt(v verdict) {
	if v.unread != nil {
		m.Unread = v.unread
	}
	if v.unsure {
		m.Unsure = errTwoMeaning
	}
}

// touching calls visit for every rule that a request matches and that touches
// other objects.
func (t *tree) touching(request *Request, visit func(*Match)) {
	if !t.touches {
		return
	}
	escaped := request.HTTP.URL.EscapedPath()
	path := usualPath(escaped)
	t.root.touching(request, path, path, new(Match), func(m *Match) {
		if e := m.Rule.Resource.endings; e.cut(escaped) == escaped || m.Rule.pattern.spells(e) {
			visit(m)
		}
	})
	for _, e := range t.endings {
		cut := e.cut(escaped)
		if cut == escaped {
			continue
		}
		path := usualPath(cut)
		t.root.touching(request, path, path, new(Match), func(m *Match) {
			if m.Rule.Resource.endings == e {
				visit(m)
			}
		})
	}
}

// touching walks the tree as find does, but into all branches. At holds the
// values of the placeholders on the way.
func (n *node) touching(request *Request, rest, whole string, at *Match, visit func(*Match)) {
	try := func(rules []*Rule, at *Match) {
		for _, r := range rules {
			if len(r.Touches) == 0 || !accepts(r.methods, request.Method) {
				continue
			}
			if v := r.judge(request, at.Values()); v.holds {
				found := *at
				found.Rule = r
				found.doubt(v)
				visit(&found)
			}
		}
	}
	if rest == "" || rest == "/" {
		try(n.leaves, at)
	} else if at.count < maxSegments {
		segment, after := nextSegment(rest)
		plain := unescape(segment)
		if child := n.text[plain]; child != nil {
			child.touching(request, after, whole, at, visit)
		}
		if n.placeholder != nil && segment != "" {
			at.values[at.count] = plain
			at.count++
			n.placeholder.touching(request, after, whole, at, visit)
			at.count--
		}
	}
	for _, r := range n.expressions {
		if values, ok := r.pattern.exec(whole, nil); ok && len(values) <= maxSegments {
			found := new(Match)
			found.count = copy(found.values[:], values)
			try([]*Rule{r}, found)
		}
	}
	n.touchingSpans(whole, try)
	if rest != "" {
		try(n.tails, at)
	}
}

// accepts reports whether a rule with some methods is about a request's method.
func accepts(methods []string, method string) bool {
	if method == anyMethod {
		return true
	}
	if len(methods) > 0 {
		return slices.Contains(methods, method)
	}
	return !IsSafe(method)
}

// IsSafe reports whether a method is not meant to change anything (RFC 9110,
// section 9.2.1). CONNECT asks for a tunnel, and what flows in a tunnel is no
// exchange.
func IsSafe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodConnect:
		return true
	}
	return false
}
