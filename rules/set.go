// SPDX-License-Identifier: Apache-2.0

// Package rules is the compiled language of a handler's resources: which requests
// change an object, where its key stands, how its Show is read and what else a
// request or an answer tells. It says what an exchange means; what to do about
// it is decided elsewhere.
//
// What users write is in package syntax. [Compile] checks it and makes a [Set].
package rules

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// Resource is a compiled [Resource].
type Resource struct {
	Name     string
	Show     Template
	showText string
	ShowFrom string
	// gone and failed say what answers to Show mean besides their status.
	gone, failed *answer
	// CallerHeaders are lent to the reading of the caller's Show.
	CallerHeaders []string
	IDs           []Value
	// idsGiven is true where the user said where the ids stand.
	idsGiven   bool
	Aliases    bool
	Version    string // a path, or ""
	ETag       bool
	Lag        time.Duration
	Tenant     string
	Projection event.Projection
	KeepShow   bool
	Triggers   []event.Trigger
	Watch      *Watch
	List       *List
	Callback   *Callback
	Rules      []*Rule
}

// Watch is a compiled [Watch].
type Watch struct {
	Every time.Duration
	Until Condition
	// Text is until in words.
	Text string
}

// Callback is a compiled [Notify].
type Callback struct {
	URL, Authorization Value
	Filter             event.Filter
	Until              *Condition
}

// Set is what a handler's resources are compiled into.
type Set struct {
	Resources []*Resource
	// Tree finds the rule of a request, and shows the resource whose Show a
	// safe request asks for.
	Tree, Shows *Tree
	byName      map[string]*Resource
}

// PartError is an error in one part of a resource. It lets a Caddyfile name the
// part's line.
type PartError struct {
	// Resource is the resource's name.
	Resource string
	// Part is the part: a *Rule, an *EventRule, or the word of an option; nil
	// for the resource as a whole.
	Part any
	// Err says what is wrong.
	Err error
}

func (e PartError) Error() string { return e.Err.Error() }

// Unwrap returns the error without its part.
func (e PartError) Unwrap() error { return e.Err }

// Matchers holds the request matchers of rules that have any. Before matchers
// are loaded, as while a Caddyfile is read, there are none.
type Matchers map[*syntax.Rule]caddyhttp.MatcherSets

// Compile checks resources and compiles them. Errors in a resource are a
// [PartError].
func Compile(declared []*syntax.Resource, matchers Matchers) (*Set, error) {
	set := &Set{
		Tree: new(Tree), Shows: new(Tree),
		byName: make(map[string]*Resource, len(declared)),
	}
	for _, d := range declared {
		full := d.WithDefaults()
		if set.byName[full.Name] != nil {
			return nil, fmt.Errorf("resource %s is declared twice; merge the two", full.Name)
		}
		r, err := set.compile(full, matchers)
		if err != nil {
			return nil, err
		}
		set.byName[full.Name] = r
		set.Resources = append(set.Resources, r)
	}
	if err := set.link(); err != nil {
		return nil, err
	}
	if err := set.addShows(); err != nil {
		return nil, err
	}
	return set, nil
}

// link finds the resources that rules touch. They may be declared later than
// the rules, so this comes last.
func (set *Set) link() error {
	for _, r := range set.Resources {
		for _, rule := range r.Rules {
			for i := range rule.Touches {
				if err := set.linkTouch(&rule.Touches[i]); err != nil {
					return PartError{r.Name, rule.declared, fmt.Errorf("resource %s: %s: %w", r.Name, rule.Name, err)}
				}
			}
		}
	}
	return nil
}

func (set *Set) linkTouch(t *Touch) error {
	if t.Resource = set.byName[t.name]; t.Resource == nil {
		return fmt.Errorf("touches %s: there is no such resource; declare it, as `resource %s`", t.name, t.name)
	}
	if names := t.Resource.Show.Names; len(names) != 1 {
		return fmt.Errorf("touches %s: its key has %d parts (%s), and one place tells only one", t.name, len(names), t.Resource.showText)
	}
	if t.Via != nil {
		t.Via.Resource = t.Resource
	}
	return nil
}

// addShows fills the tree of the requests by which a client may read an object.
func (set *Set) addShows() error {
	for _, r := range set.Resources {
		s := &r.Show
		if s.method != http.MethodGet || len(s.query)+len(s.header)+len(s.body) > 0 || r.ShowFrom == syntax.ShowFromCaller {
			continue
		}
		made := &Rule{Resource: r, pattern: s.Path, methods: []string{http.MethodGet}, Name: r.showText}
		for i := range s.Names {
			made.Key = append(made.Key, KeyPart{Placeholder: i})
		}
		if err := set.Shows.add(made); err != nil {
			return err
		}
	}
	return nil
}

// compile compiles a resource whose defaults are filled in.
func (set *Set) compile(r syntax.Resource, matchers Matchers) (*Resource, error) {
	wrong := func(part any, word string, err error) error {
		return PartError{r.Name, part, fmt.Errorf("resource %s: %s: %w", r.Name, word, err)}
	}
	if r.Name == "" || strings.IndexFunc(r.Name, syntax.NotNameRune) >= 0 {
		return nil, PartError{r.Name, nil, fmt.Errorf("resource %q: a name is made of letters, digits, '_' and '-'", r.Name)}
	}
	compiled := &Resource{
		Name: r.Name, showText: r.Show.String(), ShowFrom: r.ShowFrom, CallerHeaders: r.CallerHeaders, idsGiven: !slices.Equal(r.ID, syntax.Resource{Name: r.Name}.WithDefaults().ID),
		Aliases: r.Aliases, Lag: time.Duration(r.Lag), Tenant: r.Tenant, KeepShow: r.KeepShow,
	}
	if err := compiled.compileShow(r); err != nil {
		return nil, wrong("show", "show "+r.Show.String(), err)
	}
	keys, err := compiled.compileKeys(r)
	if err != nil {
		return nil, err
	}
	for _, declared := range r.Rules {
		made, err := compileRule(declared, compiled, keys, matchers[declared])
		if err == nil {
			err = set.Tree.add(made)
		}
		if err != nil {
			return nil, wrong(declared, fmt.Sprintf("%s %s", declared.Kind, declared), err)
		}
		compiled.Rules = append(compiled.Rules, made)
	}
	for _, option := range []struct {
		word    string
		compile func(syntax.Resource) error
	}{
		{"version", compiled.compileVersion},
		{"hide", compiled.compileProjection},
		{"watch", compiled.compileWatch},
		{"list", compiled.compileList},
		{"notify", compiled.compileNotify},
	} {
		if err := option.compile(r); err != nil {
			return nil, wrong(option.word, option.word, err)
		}
	}
	if err := compiled.compileEvents(r); err != nil {
		return nil, err
	}
	if err := compiled.checkHidden(r); err != nil {
		return nil, err
	}
	return compiled, nil
}
