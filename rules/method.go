// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// ErrStatedMethod is why a POST that states another method is not sure to be what it
// is: an API that honours the statement has done something else, or nothing. A 201
// shows that it has not, if the stated method is safe.
var ErrStatedMethod = errors.New("the request states another method than its own, which no rule is about")

var (
	errTwoMethods = errors.New("the request's own method and the one that it states match rules about different objects")
	errManyStated = errors.New("the request states several methods")
)

// checkMethods refuses what is no method, or a slip of the pen: a rule about POTS never
// matches. Other methods than those of HTTP are an API's own business.
func checkMethods(methods []string) error {
	for _, method := range methods {
		if !isMethod(method) || method != strings.ToUpper(method) {
			return fmt.Errorf("%q is no HTTP method; methods are written in capitals and joined by |", method)
		}
		for _, usual := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			if method != usual && isSlip(method, usual) {
				return fmt.Errorf("%q is no HTTP method; is %s meant?", method, usual)
			}
		}
	}
	return nil
}

// isSlip reports whether a word is another with one letter too many, missing or wrong, or
// with two that have changed places. Of three letters none may be wrong: SET may be an
// API's own.
func isSlip(word, meant string) bool {
	if len(word) > len(meant) {
		word, meant = meant, word
	}
	at := 0
	for at < len(word) && word[at] == meant[at] {
		at++
	}
	switch len(meant) - len(word) {
	case 0:
		return len(meant) > 3 && word[at+1:] == meant[at+1:] ||
			at+2 <= len(word) && word[at] == meant[at+1] && word[at+1] == meant[at] && word[at+2:] == meant[at+2:]
	case 1:
		return word[at:] == meant[at+1:]
	}
	return false
}

// findStated finds the rule of a POST that may state another method. Which of the two
// counts is up to the API; where that makes a difference, the match says so. Where the
// stated method is safe, unknown, or without a rule, the request's own counts.
func (t *tree) findStated(request *Request, found *Match) bool {
	own := t.find(request, found)
	if !own && !t.leads(request.HTTP.URL.EscapedPath()) {
		return false // whatever it states
	}
	stated, err := request.stated()
	if err != nil {
		return t.unstated(request, found, own, err)
	}
	var hits []Match
	for _, method := range stated {
		var other Match
		request.Method = method
		if t.find(request, &other) {
			hits = append(hits, other)
		}
	}
	request.Method = http.MethodPost
	switch {
	case len(hits) == 0 && !own:
		if len(stated) > 0 && isUsual(stated[0]) {
			request.Method = stated[0] // for the rule that is missing
		}
		return false
	case len(hits) == 0:
		if found.Unsure == nil && slices.ContainsFunc(stated, func(m string) bool { return IsSafe(m) || isUsual(m) }) {
			found.Unsure = ErrStatedMethod
		}
		return true
	}
	if own {
		hits = append(hits, *found)
	}
	*found, request.Method = hits[0], stated[0]
	if len(stated) > 1 && found.Unsure == nil {
		found.Unsure = errManyStated
	}
	for i := range hits {
		if !hits[i].same(found) && found.Unread == nil {
			found.Unread = errTwoMethods
		}
	}
	return true
}

// unstated decides about a request of which nobody can tell which method it states.
func (t *tree) unstated(request *Request, found *Match, own bool, err error) bool {
	path := usualPath(request.HTTP.URL.EscapedPath())
	if own && !t.root.others(path, http.MethodPost) {
		if found.Unsure == nil {
			found.Unsure = ErrStatedMethod
		}
		return true
	}
	if !own {
		if found.count = 0; !t.root.loose(anyMethod, path, path, found) {
			return false
		}
	}
	found.Unread = err
	return true
}

// same reports whether two matches are about the same object, which the path names.
func (m *Match) same(other *Match) bool {
	if m.Rule == other.Rule {
		return true
	}
	named := func(r *Rule) bool {
		return !slices.ContainsFunc(r.Key, func(p KeyPart) bool { return p.Placeholder < 0 })
	}
	if m.Rule.Resource != other.Rule.Resource || !named(m.Rule) || !named(other.Rule) {
		return false
	}
	for i := range m.Rule.Key {
		if m.values[m.Rule.Key[i].Placeholder] != other.values[other.Rule.Key[i].Placeholder] {
			return false
		}
	}
	return true
}

// stated returns the methods, other than POST, that a POST states.
func (r *Request) stated() (methods []string, err error) {
	for _, v := range r.Overrides {
		texts, problem := r.texts(v, false)
		if problem != nil {
			err = problem
			continue
		}
		for _, text := range texts.All {
			if method := strings.ToUpper(strings.TrimSpace(text)); isMethod(method) && method != http.MethodPost && !slices.Contains(methods, method) {
				methods = append(methods, method)
			}
		}
	}
	if len(methods) > 0 {
		err = nil
	}
	return methods, err
}

// isMethod reports whether a text can be an HTTP method.
func isMethod(s string) bool {
	return s != "" && len(s) <= 32 && strings.IndexFunc(s, func(r rune) bool { return r < 'A' || r > 'Z' }) < 0
}

// isUsual reports whether APIs have a method that changes something.
func isUsual(method string) bool {
	switch method {
	case http.MethodPut, http.MethodPatch, http.MethodDelete:
		return true
	}
	return false
}

// anyMethod stands for every method.
const anyMethod = ""

// leads reports whether a rule of any method may be about a path.
func (t *tree) leads(escaped string) bool {
	paths := []string{usualPath(escaped)}
	if !isPlain(escaped) {
		paths = spellings(escaped)
	}
	return slices.ContainsFunc(paths, func(path string) bool {
		return t.root.loose(anyMethod, path, path, new(Match))
	})
}

// others reports whether a rule about a path has another method than one.
func (n *node) others(path, method string) bool {
	for _, other := range []string{http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if other != method && n.loose(other, path, path, new(Match)) {
			return true
		}
	}
	return false
}
