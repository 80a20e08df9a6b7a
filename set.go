// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

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

// notify is a compiled [Notify].
type notify struct {
	url, authorization value
	filter             event.Filter
	until              *condition
}

// ruleset is what a handler's resources are compiled into.
type ruleset struct {
	resources []*resource
	// matcher finds the rule of a request, and shows the resource whose Show a
	// safe request asks for.
	matcher, shows *matcher
	byName         map[string]*resource
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
type Matchers map[*Rule]caddyhttp.MatcherSets

// Compile checks resources and compiles them. Errors in a resource are a
// [PartError].
func Compile(declared []*Resource, matchers Matchers) (*ruleset, error) {
	set := &ruleset{
		matcher: new(matcher), shows: new(matcher),
		byName: make(map[string]*resource, len(declared)),
	}
	for _, d := range declared {
		full := d.withDefaults()
		if set.byName[full.Name] != nil {
			return nil, fmt.Errorf("resource %s is declared twice; merge the two", full.Name)
		}
		r, err := set.compile(full, matchers)
		if err != nil {
			return nil, err
		}
		set.byName[full.Name] = r
		set.resources = append(set.resources, r)
	}
	if err := set.link(); err != nil {
		return nil, err
	}
	return set, set.addShows()
}

// link finds the resources that rules touch. They may be declared later than
// the rules, so this comes last.
func (set *ruleset) link() error {
	for _, r := range set.resources {
		for _, rule := range r.rules {
			for i := range rule.touches {
				if err := set.linkTouch(&rule.touches[i]); err != nil {
					return PartError{r.name, rule.declared, fmt.Errorf("resource %s: %s: %w", r.name, rule.text, err)}
				}
			}
		}
	}
	return nil
}

func (set *ruleset) linkTouch(t *touch) error {
	if t.target = set.byName[t.resource]; t.target == nil {
		return fmt.Errorf("touches %s: there is no such resource; declare it, as `resource %s`", t.resource, t.resource)
	}
	if names := t.target.show.names; len(names) != 1 {
		return fmt.Errorf("touches %s: its key has %d parts (%s), and one place tells only one", t.resource, len(names), t.target.showText)
	}
	if t.via != nil {
		t.via.of = t.target
	}
	return nil
}

// addShows fills the tree of the requests by which a client may read an object.
func (set *ruleset) addShows() error {
	for _, r := range set.resources {
		s := &r.show
		if s.method != http.MethodGet || len(s.query)+len(s.header)+len(s.body) > 0 || r.showFrom == showFromCaller {
			continue
		}
		made := &rule{resource: r, pattern: s.path, methods: []string{http.MethodGet}, text: r.showText}
		for i := range s.names {
			made.parts = append(made.parts, keyPart{place: i})
		}
		if err := set.shows.add(made); err != nil {
			return err
		}
	}
	return nil
}

// compile compiles a resource whose defaults are filled in.
func (set *ruleset) compile(r Resource, matchers Matchers) (*resource, error) {
	wrong := func(part any, word string, err error) error {
		return PartError{r.Name, part, fmt.Errorf("resource %s: %s: %w", r.Name, word, err)}
	}
	if r.Name == "" || strings.IndexFunc(r.Name, notNameRune) >= 0 {
		return nil, PartError{r.Name, nil, fmt.Errorf("resource %q: a name is made of letters, digits, '_' and '-'", r.Name)}
	}
	compiled := &resource{
		name: r.Name, showText: r.Show.String(), showFrom: r.ShowFrom, callerHeaders: r.CallerHeaders, idsGiven: !slices.Equal(r.ID, Resource{Name: r.Name}.withDefaults().ID),
		aliases: r.Aliases, lag: time.Duration(r.Lag), tenant: r.Tenant, keepShow: r.KeepShow,
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
			err = set.matcher.add(made)
		}
		if err != nil {
			return nil, wrong(declared, fmt.Sprintf("%s %s", declared.Kind, declared), err)
		}
		compiled.rules = append(compiled.rules, made)
	}
	for _, option := range []struct {
		word    string
		compile func(Resource) error
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
	return compiled, compiled.checkHidden(r)
}
