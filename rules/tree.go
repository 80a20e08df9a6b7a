// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

// Tree finds the rule that a request matches. It is a tree of path
// segments, so its cost grows with the length of the path and not with the
// number of rules. Where several rules match, the most specific one is taken:
// text before a name, a name before an expression, an expression before "*",
// decided at the first segment in which they differ.
//
// A matcher is immutable once built.
type Tree struct {
	root node
	// touching holds whether any rule touches other objects.
	touching bool
}

type node struct {
	text        map[string]*node
	name        *node
	expressions []*Rule
	tails       []*Rule
	leaves      []*Rule
}

// Match is what a request matched.
type Match struct {
	Rule *Rule
	// Values are the plain values of the rule's placeholders.
	Values [maxSegments]string
	Count  int
}

// add puts a rule into the tree.
func (m *Tree) add(r *Rule) error {
	at := &m.root
	for _, segment := range r.pattern.segments {
		if segment == "" {
			if at.name == nil {
				at.name = new(node)
			}
			at = at.name
			continue
		}
		if at.text == nil {
			at.text = make(map[string]*node)
		}
		if at.text[segment] == nil {
			at.text[segment] = new(node)
		}
		at = at.text[segment]
	}
	list := &at.leaves
	switch {
	case r.pattern.expression != "":
		list = &at.expressions
	case r.pattern.tail:
		list = &at.tails
	}
	for _, other := range *list {
		if other.pattern.expression == r.pattern.expression && overlap(other.methods, r.methods) && !apart(other, r) {
			return fmt.Errorf("%q of resource %s and %q of resource %s match the same requests; "+
				"remove one of them, or tell them apart, as `where request:method is item.update`",
				other.Name, other.Resource.Name, r.Name, r.Resource.Name)
		}
	}
	*list = append(*list, r)
	m.touching = m.touching || len(r.Touches) > 0
	return nil
}

// apart tells whether two rules of one path differ in what they ask of the
// request. One that asks something goes before one that asks nothing.
func apart(a, b *Rule) bool {
	if a.matched || b.matched {
		return true
	}
	return !implied(a, b) || !implied(b, a)
}

// implied tells whether each condition of a can hold together with one of b on
// the same value.
func implied(a, b *Rule) bool {
	for _, c := range a.where {
		if !slices.ContainsFunc(b.where, func(d Condition) bool { return c.value == d.value && c.meets(d) }) {
			return false
		}
	}
	return true
}

// overlap tells whether two rules' methods share one. No methods stand for
// every unsafe one, but rules that name theirs are more specific than those.
func overlap(a, b []string) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	return slices.ContainsFunc(a, func(method string) bool { return slices.Contains(b, method) })
}

// Find returns the rule for a request and fills m's match. It does not
// allocate unless the path holds escapes or dot segments, or a rule looks into
// the request.
func (m *Tree) Find(request *Request, found *Match) bool {
	escaped := cleanPath(request.HTTP.URL.EscapedPath())
	found.Count = 0
	return m.root.find(request, escaped, escaped, found)
}

// find walks the tree. Rest is what follows the node, and begins with "/" or
// is empty; whole is the whole path.
func (n *node) find(request *Request, rest, whole string, found *Match) bool {
	if rest == "" || rest == "/" {
		if pick(n.leaves, request, found) {
			return true
		}
	} else if found.Count < maxSegments {
		segment, after := nextSegment(rest)
		plain := unescape(segment)
		if child := n.text[plain]; child != nil && child.find(request, after, whole, found) {
			return true
		}
		if n.name != nil && segment != "" {
			found.Values[found.Count] = plain
			found.Count++
			if n.name.find(request, after, whole, found) {
				return true
			}
			found.Count--
		}
	}
	for _, r := range n.expressions {
		if !accepts(r.methods, request.Method) {
			continue
		}
		if values, ok := r.pattern.exec(whole, nil); ok && len(values) <= maxSegments {
			candidate := Match{Rule: r}
			candidate.Count = copy(candidate.Values[:], values)
			if r.holds(request, &candidate) {
				*found = candidate
				return true
			}
		}
	}
	return rest != "" && pick(n.tails, request, found)
}

// pick takes the rule of a list that the request fits: one that asks something
// of the request before one that asks nothing, then one that names the method
// before one that takes any.
func pick(rules []*Rule, request *Request, found *Match) bool {
	var chosen *Rule
	rank := 0
	for _, r := range rules {
		own := 1
		if len(r.methods) > 0 {
			own++
		}
		if r.narrowed() {
			own += 2
		}
		if own > rank && accepts(r.methods, request.Method) && r.holds(request, found) {
			chosen, rank = r, own
		}
	}
	if chosen == nil {
		return false
	}
	found.Rule = chosen
	return true
}

// Others calls visit for every rule that a request fits and that touches other
// objects, whether or not a more specific one names the object.
func (m *Tree) Others(request *Request, visit func(*Match)) {
	if !m.touching {
		return
	}
	escaped := cleanPath(request.HTTP.URL.EscapedPath())
	m.root.others(request, escaped, escaped, new(Match), visit)
}

func (n *node) others(request *Request, rest, whole string, at *Match, visit func(*Match)) {
	try := func(rules []*Rule) {
		for _, r := range rules {
			if len(r.Touches) > 0 && accepts(r.methods, request.Method) && r.holds(request, at) {
				found := *at
				found.Rule = r
				visit(&found)
			}
		}
	}
	if rest == "" || rest == "/" {
		try(n.leaves)
	} else if at.Count < maxSegments {
		segment, after := nextSegment(rest)
		plain := unescape(segment)
		if child := n.text[plain]; child != nil {
			child.others(request, after, whole, at, visit)
		}
		if n.name != nil && segment != "" {
			at.Values[at.Count] = plain
			at.Count++
			n.name.others(request, after, whole, at, visit)
			at.Count--
		}
	}
	for _, r := range n.expressions {
		if values, ok := r.pattern.exec(whole, nil); ok && len(values) <= maxSegments {
			found := &Match{Count: len(values)}
			copy(found.Values[:], values)
			saved := *at
			*at = *found
			try([]*Rule{r})
			*at = saved
		}
	}
	if rest != "" {
		try(n.tails)
	}
}

func accepts(methods []string, method string) bool {
	if len(methods) > 0 {
		return slices.Contains(methods, method)
	}
	return !IsSafe(method)
}

// IsSafe tells whether a method is not meant to change anything (RFC 9110,
// section 9.2.1). CONNECT asks for a tunnel, and what flows in one is no
// exchange.
func IsSafe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodConnect:
		return true
	}
	return false
}

// Value returns the value of a placeholder of the rule's path, or "".
func (m *Match) Value(r *Rule, name string) string {
	at := slices.Index(r.pattern.Names, name)
	if at < 0 || at >= m.Count {
		return ""
	}
	return m.Values[at]
}

// nextSegment splits "/a/b" into "a" and "/b".
func nextSegment(rest string) (segment, after string) {
	rest = rest[1:]
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[:i], rest[i:]
	}
	return rest, ""
}

// unescape returns the plain form of a segment. An escaped slash stays within
// its segment, as it does for the servers that route by escaped paths.
func unescape(segment string) string {
	if strings.IndexByte(segment, '%') < 0 {
		return segment
	}
	plain, err := url.PathUnescape(segment)
	if err != nil {
		return segment
	}
	return plain
}

// cleanPath resolves dot segments and doubled slashes, as the API's server
// most likely does too: a rule must not be dodged by "/x/../items/1".
func cleanPath(p string) string {
	if !strings.Contains(p, "//") && !strings.Contains(p, "/.") && !strings.Contains(p, "/%2") {
		return p
	}
	p = encodedDots.Replace(p)
	if p == "" || p[0] != '/' {
		return p
	}
	return path.Clean(p)
}

// encodedDots decodes dots: "%2e" is "." wherever it stands (RFC 3986, section
// 6.2.2.2).
var encodedDots = strings.NewReplacer("%2e", ".", "%2E", ".")
