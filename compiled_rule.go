// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// touch is a compiled [Touch].
type touch struct {
	resource string // the other resource's name
	target   *resource
	ids      value
	via      *listing
}

// rule is a compiled [Rule].
type rule struct {
	kind     event.Kind
	resource *resource
	pattern  pattern
	methods  []string
	// text names the rule in causes, logs and metrics.
	text string
	// declared is the rule as written.
	declared *Rule
	// parts tells for each part of the object's key where it may stand.
	parts []keyPart

	where    []condition
	matchers caddyhttp.MatcherSets
	// matched is true where matchers narrow the rule, loaded or not.
	matched bool
	success *answer
	refused *answer
	touches []touch
	find    *listing
	later   *listing
	within  time.Duration
	// answers is true where the response's body decides something.
	answers bool
}

// keyPart tells where one part of an object's key stands.
type keyPart struct {
	// place is the index of the pattern's placeholder, or -1.
	place    int
	request  []value
	response []value
}

// named tells whether the path alone names the object.
func (r *rule) named() bool {
	for _, part := range r.parts {
		if part.place < 0 {
			return false
		}
	}
	return true
}

// narrowed tells whether more than method and path decides on the rule.
func (r *rule) narrowed() bool {
	return len(r.where) > 0 || r.matched
}

// holds tells whether a request of the right path and method is the rule's.
func (r *rule) holds(request *asked, found *match) bool {
	for i := range r.where {
		if !r.where[i].holds(request.textOrPath(r.where[i].value, r, found)) {
			return false
		}
	}
	if len(r.matchers) == 0 {
		return true
	}
	// A matcher that fails matches nothing, as in Caddy's own routes it would
	// end the request; ours must not.
	ok, err := r.matchers.AnyMatchWithError(request.r)
	return ok && err == nil
}

// compileRule checks a rule and compiles it.
func compileRule(d *Rule, of *resource, keys map[string][]value, matchers caddyhttp.MatcherSets) (*rule, error) {
	switch d.Kind {
	case event.KindCreate, event.KindUpdate, event.KindDelete:
	default:
		return nil, fmt.Errorf("a rule's kind is create, update or delete, not %q", d.Kind)
	}
	path, err := parsePattern(d.Path)
	if err != nil {
		return nil, err
	}
	r := &rule{
		kind: d.Kind, resource: of, pattern: path, methods: d.Methods,
		text: d.String(), declared: d,
		matchers: matchers, matched: len(matchers)+len(d.MatchRaw) > 0,
	}
	if r.parts, err = compileKeyParts(d, of, path, keys); err != nil {
		return nil, err
	}
	if r.where, err = compileConditions(d.Where); err != nil {
		return nil, fmt.Errorf("where: %w", err)
	}
	for _, c := range r.where {
		if !c.value.inRequest() {
			return nil, fmt.Errorf("where %s: the rule is chosen before there is a response; write request:%s for the request's body",
				c.value.text, c.value.text)
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
	if err := compileListings(d, r); err != nil {
		return nil, err
	}
	r.answers = r.success.reads() || r.refused.reads()
	return r, nil
}

// compileKeyParts returns where the parts of the object's key stand.
func compileKeyParts(d *Rule, of *resource, path pattern, keys map[string][]value) ([]keyPart, error) {
	names := of.show.names
	parts := make([]keyPart, len(names))
	for i, name := range names {
		parts[i].place = slices.Index(path.names, name)
		if parts[i].place >= 0 {
			continue
		}
		values, given := keys[name]
		if i == len(names)-1 && !given {
			values = of.ids
			given = of.idsGiven
		}
		for _, v := range values {
			if v.source == fromPath {
				if at := slices.Index(path.names, v.name); at >= 0 {
					parts[i].place = at
				}
				continue
			}
			if v.inRequest() {
				parts[i].request = append(parts[i].request, v)
			} else {
				parts[i].response = append(parts[i].response, v)
			}
		}
		if parts[i].place >= 0 {
			continue
		}
		// The response to a create tells the last part of the key; the parts
		// before it name where the object lives, and the request must tell.
		creates := d.Kind == event.KindCreate && i == len(names)-1
		if !creates && !given {
			return nil, fmt.Errorf("the path lacks :%s, which is part of the object's key in show %s; put :%s where it stands, "+
				"or say where else it does, as `key :%s request:%s`", name, of.showText, name, name, name)
		}
		if len(parts[i].request)+len(parts[i].response) == 0 {
			return nil, fmt.Errorf("nothing tells :%s, which is part of the object's key in show %s", name, of.showText)
		}
	}
	return parts, nil
}

// has refuses a value of the path that the path does not have.
func (p *pattern) has(v value) error {
	if v.source == fromPath && !slices.Contains(p.names, v.name) {
		return fmt.Errorf("%s is no placeholder of the path %s", v.text, p.text)
	}
	return nil
}

func compileListings(d *Rule, r *rule) error {
	var err error
	for _, t := range d.Touches {
		made := touch{resource: t.Resource}
		switch {
		case t.Resource == "":
			return errors.New("touches takes a resource, as `touches transactions transaction.id`")
		case (t.IDs == "") == (t.Via == nil):
			return fmt.Errorf("touches %s takes either where the ids stand or `via` a request that lists them", t.Resource)
		case t.Via == nil:
			if made.ids, err = parseValue(t.IDs); err == nil {
				err = r.pattern.has(made.ids)
			}
		default:
			made.via, err = compileListing(t.Via, r, t.Resource+"@", true)
		}
		if err != nil {
			return fmt.Errorf("touches %s: %w", t.Resource, err)
		}
		r.touches = append(r.touches, made)
	}
	if d.Find != nil {
		if d.Kind != event.KindCreate {
			return errors.New("find: only a create can have an object that has to be found")
		}
		if r.find, err = compileListing(d.Find, r, r.resource.name+"@find:", true); err != nil {
			return fmt.Errorf("find: %w", err)
		}
	}
	if d.Later != nil {
		if r.later, err = compileListing(&d.Later.Listing, r, r.resource.name+"@later:", false); err != nil {
			return fmt.Errorf("later: %w", err)
		}
		r.within = time.Duration(d.Later.Within)
		if r.within == 0 {
			r.within = defaultWithin
		}
		if r.within < 0 {
			return errors.New("later: within must not be negative")
		}
	}
	return nil
}
