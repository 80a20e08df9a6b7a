// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// Resource is a compiled resource: one kind of objects of the API.
type Resource struct {
	// Name names the resource in keys, events and logs.
	Name string
	// Rules say which requests change an object.
	Rules []*Rule
	// Triggers say which changes make which events.
	Triggers []event.Trigger

	// Show is the request that reads an object. Its names are the parts of the
	// object's key, in order.
	Show Template
	// ShowFrom says whose Show is taken: one of the constants of package syntax.
	ShowFrom string
	// CallerHeaders are the headers of a request that its caller's Show needs.
	CallerHeaders []string
	// Aliases means that requests may name an object otherwise than its Show
	// does.
	Aliases bool
	// callerIDs are the ids, in lower case, that stand for the caller.
	callerIDs map[string]bool
	// Slashes means that an id is whatever stands between two slashes of a path,
	// however much of it is escaped.
	Slashes bool
	// endings are what the API leaves out at the end of a path, nil for nothing.
	endings *endings
	// Version is the path of the object's version in Show, or "".
	Version string
	// ETag means that the version is the ETag of Show.
	ETag bool
	// Lag is how far the API's answers may lag behind its writes.
	Lag time.Duration
	// HTML means that a page of HTML can be a Show.
	HTML bool
	// Tenant is the path of the object's owner in Show, or "".
	Tenant string
	// Projection removes the hidden fields of Show.
	Projection event.Projection
	// Volatile removes the fields of Show that do not count when it is compared.
	Volatile event.Projection
	// VolatileID tells one choice of volatile fields from another; "" for none.
	VolatileID string
	// KeepShow means that the whole last Show of each object is stored.
	KeepShow bool

	// Watch, Parent, List and Callback are the options `watch`, `parent`, `list` and `notify`, nil
	// if the resource does not have them.
	Watch    *Watch
	Parent   *Parent
	List     *List
	Callback *Callback

	// rules is the tree of Rules, and declared of those that are not conventional.
	rules, declared tree
	// ignored is the tree of what `ignore` says of the handler, nil for nothing.
	ignored *tree

	showText string
	// gone and failed say which answers to Show mean something else than their
	// status does.
	gone, failed *answer
	// ids says where the last part of the key may stand.
	ids []Value
	// idsGiven is true if the user said where the ids stand.
	idsGiven bool
	// inShows are the words that look into Shows.
	inShows *inShows
}

// compile compiles a resource whose defaults are filled in. Its first rules, as many as
// given, are declared, and the others conventional.
func (s *Set) compile(d syntax.Resource, given int, matchers Matchers) (*Resource, error) {
	wrong := func(part any, word string, err error) error {
		return PartError{d.Name, part, fmt.Errorf("resource %s: %s: %w", d.Name, word, err)}
	}
	if !syntax.IsName(d.Name) {
		return nil, PartError{d.Name, nil, fmt.Errorf("resource %q: a name is made of letters, digits, '_' and '-'", d.Name)}
	}
	switch d.Conventions {
	case "", syntax.ConventionsRules, syntax.ConventionsEvents, syntax.ConventionsNone:
	default:
		return nil, wrong("conventions", "conventions", fmt.Errorf("%q is none of rules, events and none; without the word, both hold", d.Conventions))
	}
	r := &Resource{
		Name: d.Name, showText: d.Show.String(), ShowFrom: d.ShowFrom, CallerHeaders: d.CallerHeaders,
		idsGiven: !slices.Equal(d.ID, syntax.Resource{Name: d.Name}.WithDefaults().ID),
		Aliases:  d.Aliases, Slashes: d.Slashes, Lag: time.Duration(d.Lag), Tenant: d.Tenant, HTML: d.HTML, KeepShow: d.KeepShow,
	}
	if err := r.compileCallerIDs(d); err != nil {
		return nil, wrong("caller_ids", "caller_ids", err)
	}
	var err error
	if r.endings, err = s.compileEndings(d); err != nil {
		return nil, wrong("endings", "endings", err)
	}
	if err := r.compileShow(d); err != nil {
		return nil, wrong("show", "show "+r.showText, err)
	}
	if err := checkCallerHeaders(d.CallerHeaders); err != nil {
		return nil, wrong("show from", "show as caller", err)
	}
	keys, err := r.compileKeys(d)
	if err != nil {
		return nil, err
	}
	for i, declared := range d.Rules {
		rule, err := compileRule(declared, r, keys, matchers[declared])
		if err == nil {
			rule.conventional = i >= given
			err = r.add(rule)
		}
		if err != nil && i >= given && given > 0 {
			continue // the key stands elsewhere, as the declared rules say
		}
		if err != nil {
			return nil, wrong(declared, fmt.Sprintf("%s %s", declared.Kind, declared), err)
		}
		s.rules.addAll(rule)
		r.Rules = append(r.Rules, rule)
	}
	for _, option := range []struct {
		word    string
		compile func(syntax.Resource) error
	}{
		{"version", r.compileVersion},
		{"hide", r.compileHide},
		{"volatile", r.compileVolatile},
		{"watch", r.compileWatch},
		{"parent", r.compileParent},
		{"list", r.compileList},
		{"notify", r.compileNotify},
	} {
		if err := option.compile(d); err != nil {
			return nil, wrong(option.word, option.word, err)
		}
	}
	if err := r.compileEvents(d); err != nil {
		return nil, err
	}
	if err := r.checkHidden(d); err != nil {
		return nil, err
	}
	if err := r.checkVolatile(d); err != nil {
		return nil, err
	}
	return r, nil
}

// add adds a rule to the trees of the resource.
func (r *Resource) add(rule *Rule) error {
	if !rule.conventional {
		if err := r.declared.add(rule); err != nil {
			return err
		}
	}
	r.rules.addAll(rule)
	return nil
}

// compileCallerIDs compiles the option `caller_ids`.
func (r *Resource) compileCallerIDs(d syntax.Resource) error {
	if slices.Contains(d.CallerIDs, syntax.NoCallerIDs) {
		if len(d.CallerIDs) > 1 {
			return errors.New("`none` stands alone")
		}
		return nil
	}
	r.callerIDs = make(map[string]bool, len(d.CallerIDs))
	for _, id := range d.CallerIDs {
		if id == "" {
			return errors.New("an id is not empty")
		}
		r.callerIDs[strings.ToLower(id)] = true
	}
	return nil
}

// compileVersion compiles the options `version`, `lag` and `tenant`.
func (r *Resource) compileVersion(d syntax.Resource) error {
	if d.Lag < 0 {
		return errors.New("lag must not be negative")
	}
	if r.ETag = d.Version == syntax.VersionETag; r.ETag {
		return nil
	}
	r.Version = d.Version
	if err := checkFieldPath(d.Version); err != nil {
		return err
	}
	if err := checkFieldPath(d.Tenant); err != nil {
		return fmt.Errorf("tenant: %w", err)
	}
	return nil
}
