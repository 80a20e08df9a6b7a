// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// endings are what an API leaves out at the end of a path, as `.json` and
// `;jsessionid=*`: `/items/5.json` is about the same object as `/items/5`. Resources with
// the same endings share them.
type endings []string

// compileEndings compiles the option `endings`.
func (s *Set) compileEndings(d syntax.Resource) (*endings, error) {
	if len(d.Endings) == 0 {
		return nil, nil
	}
	for _, text := range d.Endings {
		inner := strings.TrimSuffix(text, "*")
		switch {
		case len(text) < 2 || text[0] != '.' && text[0] != ';', strings.ContainsAny(inner, "/*?#%"):
			return nil, fmt.Errorf("%q: an ending begins with a dot or a semicolon, as .json or ;jsessionid=*", text)
		case text[0] == '.' && inner != text:
			return nil, fmt.Errorf("%q: only what follows a semicolon may be anything; name the extensions", text)
		}
	}
	for _, known := range s.endings {
		if strings.Join(*known, " ") == strings.Join(d.Endings, " ") {
			return known, nil
		}
	}
	made := endings(d.Endings)
	s.endings = append(s.endings, &made)
	return &made, nil
}

// cut returns an escaped path without what the API leaves out at its end.
func (e *endings) cut(path string) string {
	if e == nil {
		return path
	}
	for again := true; again; {
		again = false
		for _, text := range *e {
			if at := endsAt(path, text); at > 0 {
				path, again = path[:at], true
			}
		}
	}
	return path
}

// endsAt returns where an ending of a path begins, or -1. A segment is never all ending.
func endsAt(path, text string) int {
	at := len(path) - len(text)
	if begin, isAny := strings.CutSuffix(text, "*"); isAny {
		at = strings.LastIndex(path, begin)
		if at >= 0 && strings.Contains(path[at:], "/") {
			return -1
		}
	} else if !strings.HasSuffix(path, text) {
		return -1
	}
	if at < 1 || path[at-1] == '/' {
		return -1
	}
	return at
}

// resembles reports whether a path may have an ending that is written otherwise:
// escaped, or in another case.
func (e *endings) resembles(path string) bool {
	if e == nil {
		return false
	}
	path = strings.ToLower(strings.TrimRight(decodeAgain(path, false), "/"))
	for _, text := range *e {
		if endsAt(path, strings.ToLower(text)) > 0 {
			return true
		}
	}
	return false
}

// findEnded finds the rule of a path whose end the rule's resource leaves out.
func (t *tree) findEnded(request *Request, escaped string, found *Match) bool {
	for _, e := range t.endings {
		path := e.cut(escaped)
		if path == escaped {
			continue
		}
		var other Match
		if t.findPath(request, path, &other) && other.Rule.Resource.endings == e && (!other.Rule.conventional || !other.Rule.Resource.declares(request.Method, mergeSlashes(escaped))) {
			*found = other
			return true
		}
	}
	return false
}

// spells reports whether a rule's path has the ending itself, so that it is none.
func (p *pattern) spells(e *endings) bool {
	return e.resembles(p.text)
}
