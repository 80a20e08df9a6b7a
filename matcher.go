// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// matcher finds the rule that a request matches. It is a tree of path
// segments, so its cost grows with the length of the path and not with the
// number of rules. Where several rules match, the most specific one is taken:
// text before a name, a name before an expression, an expression before "*",
// decided at the first segment in which they differ.
//
// A matcher is immutable once built.
type matcher struct {
	root node
}

type node struct {
	text        map[string]*node
	name        *node
	expressions []*rule
	tails       []*rule
	leaves      []*rule
}

// rule is a compiled [Rule].
type rule struct {
	kind     event.Kind
	resource *resource
	pattern  pattern
	methods  []string
	// text names the rule in causes, logs and metrics.
	text string
	// places tells for each part of the object's key which value of the
	// pattern it is; -1 for the last part where the response must tell it.
	places []int
}

// place fills in places.
func (r *rule) place() {
	for _, name := range r.resource.show.names {
		r.places = append(r.places, slices.Index(r.pattern.names, name))
	}
}

// named tells whether the request alone names the object.
func (r *rule) named() bool {
	return r.places[len(r.places)-1] >= 0
}

// match is what a request matched.
type match struct {
	rule *rule
	// values are the plain values of the rule's placeholders.
	values [maxSegments]string
	count  int
}

// add puts a rule into the tree.
func (m *matcher) add(r *rule) error {
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
		if other.pattern.expression == r.pattern.expression && overlap(other.methods, r.methods) {
			return fmt.Errorf("%q of resource %s and %q of resource %s match the same requests; remove one of them",
				other.text, other.resource.name, r.text, r.resource.name)
		}
	}
	*list = append(*list, r)
	return nil
}

// overlap tells whether two rules' methods share one. No methods stand for
// every unsafe one, but rules that name theirs are more specific than those.
func overlap(a, b []string) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	return slices.ContainsFunc(a, func(method string) bool { return slices.Contains(b, method) })
}

// find returns the rule for a request and fills m's match. It does not
// allocate unless the path holds escapes or dot segments.
func (m *matcher) find(method string, u *url.URL, found *match) bool {
	escaped := cleanPath(u.EscapedPath())
	found.count = 0
	return m.root.find(method, escaped, escaped, found)
}

// find walks the tree. Rest is what follows the node, and begins with "/" or
// is empty; whole is the whole path.
func (n *node) find(method, rest, whole string, found *match) bool {
	if rest == "" || rest == "/" {
		if pick(n.leaves, method, found) {
			return true
		}
	} else if found.count < maxSegments {
		segment, after := nextSegment(rest)
		plain := unescape(segment)
		if child := n.text[plain]; child != nil && child.find(method, after, whole, found) {
			return true
		}
		if n.name != nil && segment != "" {
			found.values[found.count] = plain
			found.count++
			if n.name.find(method, after, whole, found) {
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
			found.rule = r
			found.count = copy(found.values[:], values)
			return true
		}
	}
	return rest != "" && pick(n.tails, method, found)
}

// pick takes the rule of a list that accepts the method, one that names it
// before one that takes any.
func pick(rules []*rule, method string, found *match) bool {
	var chosen *rule
	for _, r := range rules {
		if accepts(r.methods, method) && (chosen == nil || len(r.methods) > 0) {
			chosen = r
		}
	}
	if chosen == nil {
		return false
	}
	found.rule = chosen
	return true
}

func accepts(methods []string, method string) bool {
	if len(methods) > 0 {
		return slices.Contains(methods, method)
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodConnect:
		return false
	}
	return true
}

// key returns the key of the object. Where the request does not name it, id is
// what the response told.
func (m *match) key(id string) (event.Key, error) {
	parts := make([]string, len(m.rule.places))
	for i, at := range m.rule.places {
		parts[i] = id
		if at >= 0 && at < m.count {
			parts[i] = m.values[at]
		}
	}
	return event.NewKey(m.rule.resource.name, parts...)
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
