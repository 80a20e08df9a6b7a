// SPDX-License-Identifier: Apache-2.0

// Package rules is the compiled language of a handler's resources: which requests
// change an object, where its key stands, how its Show is read, and what else a
// request or a response says. It says what an exchange means; what to do about it
// is decided elsewhere.
//
// What users write is in package syntax. [Compile] checks it and makes a [Set].
package rules

import (
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/rules/effect"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// Set is the compiled form of a handler's resources.
type Set struct {
	// Resources are the resources in the order in which they are declared.
	Resources []*Resource
	// Words notes which words of the resources have no effect.
	Words *effect.Register

	byName map[string]*Resource
	// rules and shows are the trees of Find and FindShow; each resource has a tree of
	// its own rules, too.
	rules, shows tree
	// endings are those of all resources, each once.
	endings []*endings
	// ignored is the tree of requests that change nothing.
	ignored tree
	// batches are the paths whose requests hold others.
	batches []string
}

// Matchers holds the request matchers of rules that have any. Before matchers
// are loaded, as while a Caddyfile is read, there are none.
type Matchers map[*syntax.Rule]caddyhttp.MatcherSets

// PartError is an error in one part of a resource. It lets a Caddyfile name the
// part's line.
type PartError struct {
	// Resource is the resource's name.
	Resource string
	// Part is the part: a *syntax.Rule, a *syntax.EventRule, or the word of an
	// option; nil for the resource as a whole.
	Part any
	// Err says what is wrong.
	Err error
}

func (e PartError) Error() string { return e.Err.Error() }

// Unwrap returns the error without its part.
func (e PartError) Unwrap() error { return e.Err }

// Compile checks resources and compiles them. Errors in a resource are a
// [PartError].
func Compile(declared []*syntax.Resource, matchers Matchers) (*Set, error) {
	s := &Set{byName: make(map[string]*Resource, len(declared)), Words: effect.New(time.Now())}
	for _, d := range declared {
		full := d.WithDefaults()
		if s.byName[full.Name] != nil {
			return nil, fmt.Errorf("resource %s is declared twice; merge the two", full.Name)
		}
		r, err := s.compile(full, len(d.Rules), matchers)
		if err != nil {
			return nil, err
		}
		s.byName[full.Name] = r
		s.Resources = append(s.Resources, r)
	}
	s.rules.endings = s.endings
	// A rule may touch a resource that is declared after it, so this comes last.
	if err := s.linkTouches(); err != nil {
		return nil, err
	}
	if err := s.linkParents(); err != nil {
		return nil, err
	}
	if err := s.linkLists(); err != nil {
		return nil, err
	}
	if err := s.addShows(); err != nil {
		return nil, err
	}
	if err := s.checkReached(); err != nil {
		return nil, err
	}
	for i, d := range declared {
		s.addWords(i, d.WithDefaults(), s.Resources[i])
	}
	return s, nil
}

// checkReached refuses a resource of which no change is ever seen.
func (s *Set) checkReached() error {
	reached := make(map[*Resource]bool)
	for _, r := range s.Resources {
		if r.Parent != nil {
			reached[r.Parent.Resource] = true
		}
		for _, rule := range r.Rules {
			for i := range rule.Touches {
				reached[rule.Touches[i].Resource] = true
			}
		}
	}
	for _, r := range s.Resources {
		if len(r.Rules) == 0 && r.List == nil && !reached[r] {
			return PartError{r.Name, nil, fmt.Errorf("resource %s: no rule says which requests change its objects, and %s follows no convention; "+
				"add one, as `update POST /rpc`, or a `list`", r.Name, r.showText)}
		}
	}
	return nil
}

// Find finds the most specific rule that a request matches, of all resources, and fills
// found; FindEach finds those of other resources. It does not
// allocate unless the path has escapes or dot segments, or a rule looks into the
// request.
//
// A POST may state another method, where [Request.Overrides] say.
func (s *Set) Find(request *Request, found *Match) bool {
	if len(request.Overrides) > 0 && request.Method == http.MethodPost {
		return s.rules.findStated(request, found)
	}
	return s.rules.find(request, found)
}

// FindShow finds the resource whose Show a request asks for, and fills found. Its
// rule stands for the resource's `show`; it has no kind, and its values are the
// parts of the object's key. A path that servers may read in different ways asks for
// no Show.
func (s *Set) FindShow(request *Request, found *Match) bool {
	if !s.shows.find(request, found) || found.Unread != nil {
		return false
	}
	// With an extension, the answer may be another form of the object than its Show.
	r, path := found.Rule.Resource, request.HTTP.URL.EscapedPath()
	return r.endings.cut(path) == path && !r.endings.resembles(path) || found.Rule.pattern.spells(r.endings)
}

// Touching calls visit for every rule that a request matches and that touches
// other objects, whether or not a more specific rule names the object.
func (s *Set) Touching(request *Request, visit func(*Match)) {
	s.rules.touching(request, visit)
}
