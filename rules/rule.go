// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// Touch is a compiled [Touch].
type Touch struct {
	name     string // the other resource's name
	Resource *Resource
	IDs      Value
	Via      *Query
}

// Rule is a compiled [Rule].
type Rule struct {
	Kind     event.Kind
	Resource *Resource
	pattern  pattern
	methods  []string
	// Name names the rule in causes, logs and metrics.
	Name string
	// declared is the rule as written.
	declared *syntax.Rule
	// Key tells for each part of the object's key where it may stand.
	Key []KeyPart

	where    []Condition
	matchers caddyhttp.MatcherSets
	// matched is true where matchers narrow the rule, loaded or not.
	matched bool
	success *answer
	refused *answer
	Touches []Touch
	Find    *Query
	Later   *Query
	Within  time.Duration
	// ReadsResponse is true where the response's body decides something.
	ReadsResponse bool
}

// KeyPart tells where one part of an object's key stands.
type KeyPart struct {
	// Placeholder is the index of the pattern's placeholder, or -1.
	Placeholder int
	Request     []Value
	Response    []Value
}

// narrowed tells whether more than method and path decides on the rule.
func (r *Rule) narrowed() bool {
	return len(r.where) > 0 || r.matched
}

// holds tells whether a request of the right path and method is the rule's.
func (r *Rule) holds(request *Request, found *Match) bool {
	for i := range r.where {
		if !r.where[i].holds(request.TextOrPath(r.where[i].value, r, found)) {
			return false
		}
	}
	if len(r.matchers) == 0 {
		return true
	}
	// A matcher that fails matches nothing, as in Caddy's own routes it would
	// end the request; ours must not.
	ok, err := r.matchers.AnyMatchWithError(request.HTTP)
	return ok && err == nil
}

// compileRule checks a rule and compiles it.
func compileRule(d *syntax.Rule, of *Resource, keys map[string][]Value, matchers caddyhttp.MatcherSets) (*Rule, error) {
	switch d.Kind {
	case event.KindCreate, event.KindUpdate, event.KindDelete:
	default:
		return nil, fmt.Errorf("a rule's kind is create, update or delete, not %q", d.Kind)
	}
	path, err := parsePattern(d.Path)
	if err != nil {
		return nil, err
	}
	r := &Rule{
		Kind: d.Kind, Resource: of, pattern: path, methods: d.Methods,
		Name: d.String(), declared: d,
		matchers: matchers, matched: len(matchers)+len(d.MatchRaw) > 0,
	}
	if r.Key, err = compileKeyParts(d, of, path, keys); err != nil {
		return nil, err
	}
	if r.where, err = compileConditions(d.Where); err != nil {
		return nil, fmt.Errorf("where: %w", err)
	}
	for _, c := range r.where {
		if !c.value.InRequest() {
			return nil, fmt.Errorf("where %s: the rule is chosen before there is a response; write request:%s for the request's body",
				c.value.Text, c.value.Text)
		}
		if err := path.has(c.value); err != nil {
			return nil, fmt.Errorf("where: %w", err)
		}
	}
	if r.success, err = compileAnswer(d.Success); err != nil {
		return nil, fmt.Errorf("success: %w", err)
	}
	if r.refused, err = compileAnswer(d.Refused); err != nil {
		return nil, fmt.Errorf("refused: %w", err)
	}
	if err := compileQueries(d, r); err != nil {
		return nil, err
	}
	r.ReadsResponse = r.success.reads() || r.refused.reads()
	return r, nil
}

// compileKeyParts returns where the parts of the object's key stand.
func compileKeyParts(d *syntax.Rule, of *Resource, path pattern, keys map[string][]Value) ([]KeyPart, error) {
	names := of.Show.Names
	parts := make([]KeyPart, len(names))
	for i, name := range names {
		parts[i].Placeholder = slices.Index(path.Names, name)
		if parts[i].Placeholder >= 0 {
			continue
		}
		values, given := keys[name]
		if i == len(names)-1 && !given {
			values = of.IDs
			given = of.idsGiven
		}
		for _, v := range values {
			if v.Source == FromPath {
				if at := slices.Index(path.Names, v.Name); at >= 0 {
					parts[i].Placeholder = at
				}
				continue
			}
			if v.InRequest() {
				parts[i].Request = append(parts[i].Request, v)
			} else {
				parts[i].Response = append(parts[i].Response, v)
			}
		}
		if parts[i].Placeholder >= 0 {
			continue
		}
		// The response to a create tells the last part of the key; the parts
		// before it name where the object lives, and the request must tell.
		creates := d.Kind == event.KindCreate && i == len(names)-1
		if !creates && !given {
			return nil, fmt.Errorf("the path lacks :%s, which is part of the object's key in show %s; put :%s where it stands, "+
				"or say where else it does, as `key :%s request:%s`", name, of.showText, name, name, name)
		}
		if len(parts[i].Request)+len(parts[i].Response) == 0 {
			return nil, fmt.Errorf("nothing tells :%s, which is part of the object's key in show %s", name, of.showText)
		}
	}
	return parts, nil
}

// has refuses a value of the path that the path does not have.
func (p *pattern) has(v Value) error {
	if v.Source == FromPath && !slices.Contains(p.Names, v.Name) {
		return fmt.Errorf("%s is no placeholder of the path %s", v.Text, p.text)
	}
	return nil
}

func compileQueries(d *syntax.Rule, r *Rule) error {
	var err error
	for _, t := range d.Touches {
		made := Touch{name: t.Resource}
		switch {
		case t.Resource == "":
			return errors.New("touches takes a resource, as `touches transactions transaction.id`")
		case (t.IDs == "") == (t.Via == nil):
			return fmt.Errorf("touches %s takes either where the ids stand or `via` a request that lists them", t.Resource)
		case t.Via == nil:
			if made.IDs, err = parseValue(t.IDs); err == nil {
				err = r.pattern.has(made.IDs)
			}
		default:
			made.Via, err = compileQuery(t.Via, r, t.Resource+"@", true)
		}
		if err != nil {
			return fmt.Errorf("touches %s: %w", t.Resource, err)
		}
		r.Touches = append(r.Touches, made)
	}
	if d.Find != nil {
		if d.Kind != event.KindCreate {
			return errors.New("find: only a create can have an object that has to be found")
		}
		if r.Find, err = compileQuery(d.Find, r, r.Resource.Name+"@find:", true); err != nil {
			return fmt.Errorf("find: %w", err)
		}
	}
	if d.Later != nil {
		if r.Later, err = compileQuery(&d.Later.Query, r, r.Resource.Name+"@later:", false); err != nil {
			return fmt.Errorf("later: %w", err)
		}
		r.Within = time.Duration(d.Later.Within)
		if r.Within == 0 {
			r.Within = defaultWithin
		}
		if r.Within < 0 {
			return errors.New("later: within must not be negative")
		}
	}
	return nil
}
