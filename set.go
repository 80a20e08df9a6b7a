// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// resource is a compiled [Resource].
type resource struct {
	name     string
	show     template
	showText string
	showFrom string
	// gone and failed say what answers to Show mean besides their status.
	gone, failed *answer
	// callerHeaders are lent to the reading of the caller's Show.
	callerHeaders []string
	ids           []value
	// idsGiven is true where the user said where the ids stand.
	idsGiven   bool
	aliases    bool
	version    string // a path, or ""
	etag       bool
	lag        time.Duration
	tenant     string
	projection event.Projection
	keepShow   bool
	triggers   []event.Trigger
	watch      *watching
	list       *scanList
	notify     *notify
	rules      []*rule
}

// watching is a compiled [Watch].
type watching struct {
	every time.Duration
	until condition
	// text is until in words.
	text string
}

// scanList is a compiled [List].
type scanList struct {
	listing
	version, next, nextQuery string
	every                    time.Duration
	backfill                 bool
}

// notify is a compiled [Notify].
type notify struct {
	url, authorization value
	filter             endpoint.Filter
	until              *condition
}

// ruleset is what a handler's resources are compiled into.
type ruleset struct {
	resources []*resource
	byName    map[string]*resource
	matcher   *matcher
}

// partError is an error in one part of a resource: a *Rule, an *EventRule, or
// the word of an option. It lets the Caddyfile name the part's line.
type partError struct {
	part any
	err  error
}

func (e partError) Error() string { return e.err.Error() }
func (e partError) Unwrap() error { return e.err }

// compileResources checks resources and builds the matcher for their rules.
func compileResources(declared []*Resource) (*ruleset, error) {
	set := &ruleset{matcher: new(matcher), byName: make(map[string]*resource, len(declared))}
	for _, d := range declared {
		full := d.withDefaults()
		if set.byName[full.Name] != nil {
			return nil, fmt.Errorf("resource %s is declared twice; merge the two", full.Name)
		}
		r, err := full.compile(set.matcher)
		if err != nil {
			return nil, err
		}
		set.byName[full.Name] = r
		set.resources = append(set.resources, r)
	}
	return set, nil
}

// link finds the resources that rules touch. They may be declared later than
// the rules, so this comes last.
func (set *ruleset) link() error {
	for _, r := range set.resources {
		for _, rule := range r.rules {
			for i := range rule.touches {
				t := &rule.touches[i]
				if t.target = set.byName[t.resource]; t.target == nil {
					return fmt.Errorf("resource %s: %s: touches %s: there is no such resource; declare it, as `resource %s`%s",
						r.name, rule.text, t.resource, t.resource, rule.at)
				}
				if len(t.target.show.names) != 1 {
					return fmt.Errorf("resource %s: %s: touches %s: its key has %d parts (%s), and one place tells only one%s",
						r.name, rule.text, t.resource, len(t.target.show.names), t.target.showText, rule.at)
				}
				if t.via != nil {
					t.via.of = t.target
				}
			}
		}
	}
	return nil
}

func (r Resource) compile(m *matcher) (*resource, error) {
	if r.Name == "" || strings.IndexFunc(r.Name, notNameRune) >= 0 {
		return nil, fmt.Errorf("resource %q: a name is made of letters, digits, '_' and '-'", r.Name)
	}
	wrong := func(part any, word string, err error) error {
		return partError{part, fmt.Errorf("resource %s: %s: %w", r.Name, word, err)}
	}
	compiled := &resource{
		name: r.Name, showText: r.Show.String(), showFrom: r.ShowFrom, callerHeaders: r.CallerHeaders, idsGiven: !slices.Equal(r.ID, Resource{Name: r.Name}.withDefaults().ID),
		aliases: r.Aliases, lag: time.Duration(r.Lag), tenant: r.Tenant, keepShow: r.KeepShow,
	}
	if err := compiled.compileShow(r); err != nil {
		return nil, wrong("show", "show "+r.Show.String(), err)
	}
	keys, err := r.keyValues(compiled)
	if err != nil {
		return nil, err
	}
	for _, declared := range r.Rules {
		made, err := declared.compile(compiled, keys)
		if err == nil {
			err = m.add(made)
		}
		if err != nil {
			return nil, wrong(declared, fmt.Sprintf("%s %s", declared.Kind, declared), err)
		}
		compiled.rules = append(compiled.rules, made)
	}
	for word, compile := range map[string]func(Resource) error{
		"version": compiled.compileVersion, "hide": compiled.compileProjection,
		"watch": compiled.compileWatch, "list": compiled.compileList, "notify": compiled.compileNotify,
	} {
		if err := compile(r); err != nil {
			return nil, wrong(word, word, err)
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
