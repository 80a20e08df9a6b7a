// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/effect"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/rules/where"
)

// Rule is a compiled rule: which requests change an object of a resource, and
// what their responses mean.
type Rule struct {
	// Name names the rule in causes, logs and metrics. It is the rule as a
	// Caddyfile has it, without its kind and its block.
	Name string
	// Kind is what the request means to do.
	Kind event.Kind
	// Resource is the resource of the object.
	Resource *Resource
	// Key says where the parts of the object's key stand, in their order.
	Key []KeyPart
	// ReadsResponse means that a condition on the response's body decides the
	// outcome.
	ReadsResponse bool
	// Touches are the other objects that the exchange changes.
	Touches []Touch
	// Find is the query that finds the object of a create whose response does
	// not show it, or nil.
	Find *Query
	// Later is the query that finds the object of a request that the API has
	// accepted and does later, or nil. Within is how long it is sent for.
	Later  *Query
	Within time.Duration

	// Makes is the rule of the object that takes the place of the one that this
	// rule, of a `move`, deletes; otherwise nil.
	Makes *Rule

	declared *syntax.Rule
	pattern  pattern
	methods  []string
	where    []Condition
	matchers caddyhttp.MatcherSets
	// matched is true if matchers narrow the rule, whether they are loaded or
	// not.
	matched          bool
	success, refused *answer
	// conventional is true for a rule that is not declared.
	conventional bool

	// word notes that a request matches the rule, named that an object's id is found
	// where only the exchange tells it; nil for nobody to be told.
	word, named *effect.Word
}

// takes reports whether a rule is about a method and a path that matches its pattern,
// whatever else it demands of a request. What a declared rule of the resource is about,
// or `ignore`, a conventional one is not.
func (r *Rule) takes(method, path string) bool {
	return accepts(r.methods, method) && (!r.conventional || !r.Resource.declares(method, path) && !r.Resource.ignored.ignores(method, path))
}

// declares reports whether a declared rule of the resource is about a method and a path.
func (r *Resource) declares(method, path string) bool {
	var found Match
	return r.declared.root.loose(method, path, path, &found)
}

// compileRule checks a rule and compiles it.
func compileRule(d *syntax.Rule, of *Resource, keys map[string][]Value, matchers caddyhttp.MatcherSets) (*Rule, error) {
	switch d.Kind {
	case event.KindCreate, event.KindUpdate, event.KindDelete:
	case event.KindMove:
		return compileMove(d, of, keys, matchers)
	default:
		return nil, fmt.Errorf("a rule's kind is create, update, delete or move, not %q", d.Kind)
	}
	path, err := parseRulePath(d)
	if err != nil {
		return nil, err
	}
	return compileRuleAt(path, d, of, keys, matchers)
}

// parseRulePath checks the methods of a rule, and parses its path.
func parseRulePath(d *syntax.Rule) (pattern, error) {
	if err := checkMethods(d.Methods); err != nil {
		return pattern{}, err
	}
	if err := checkPath(d.Path); err != nil {
		return pattern{}, err
	}
	return parsePattern(d.Path)
}

// compileRuleAt compiles a rule with a path.
func compileRuleAt(path pattern, d *syntax.Rule, of *Resource, keys map[string][]Value, matchers caddyhttp.MatcherSets) (*Rule, error) {
	r := &Rule{
		Kind: d.Kind, Resource: of, pattern: path, methods: d.Methods,
		Name: d.String(), declared: d,
		matchers: matchers, matched: len(matchers)+len(d.MatchRaw) > 0,
	}
	as, keys, err := of.forRule(d, path, keys)
	if err != nil {
		return nil, err
	}
	if r.Key, err = compileKeyParts(d, as, path, keys); err != nil {
		return nil, err
	}
	if r.where, err = compileConditions(d.Where, false); err != nil {
		return nil, fmt.Errorf("where: %w", err)
	}
	for _, c := range r.where {
		if c.cel != nil {
			if err := path.hasNames(c.cel.Names(where.Path)); err != nil {
				return nil, fmt.Errorf("where: %w", err)
			}
			for _, name := range c.cel.Names(where.Header) {
				if err := (Value{Source: FromHeader, Name: name, text: "header:" + name}).seen(); err != nil {
					return nil, fmt.Errorf("where: %w", err)
				}
			}
			continue
		}
		if !c.value.InRequest() {
			return nil, fmt.Errorf("where %s: the rule is chosen before there is a response; write request:%s for the request's body",
				c.value, c.value)
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
	r.ReadsResponse = r.success.reads() || r.refused.reads()
	for _, compile := range []func(*syntax.Rule) error{r.compileTouches, r.compileFind, r.compileLater} {
		if err := compile(d); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// narrowed reports whether a request must match more than method and path.
func (r *Rule) narrowed() bool {
	return len(r.where) > 0 || r.matched
}

// verdict is whether a request meets what a rule demands.
type verdict struct {
	// holds is true if it does, or if some readers of the request find that it
	// does.
	holds bool
	// unsure is true if others may find that it does not; unread says why nobody
	// can tell.
	unsure bool
	unread error
}

// judge decides whether the conditions and matchers of the rule hold for a request
// whose path and method match. Values are those of the placeholders. What stands in
// the body is looked at last, so that a body is not read in vain.
func (r *Rule) judge(request *Request, values []string) verdict {
	v := verdict{holds: true}
	for _, inBody := range []bool{false, true} {
		for i := range r.where {
			c := &r.where[i]
			if c.cel != nil {
				if c.readsBody() == inBody && !request.judge(c.cel, c.words, &r.pattern, values, &v) {
					return verdict{}
				}
				continue
			}
			if (c.value.Source == FromRequest) != inBody {
				continue
			}
			if c.value.Source == FromPath {
				if !c.holds(r.pattern.value(c.value.Name, values)) {
					return verdict{}
				}
				continue
			}
			texts, err := request.texts(c.value, false)
			if err != nil {
				v.unread = err
				continue
			}
			request.note(c.word, slices.ContainsFunc(texts.All, func(text string) bool { return text != "" }))
			held := 0
			for _, text := range texts.All {
				if c.holds(text) {
					held++
				}
			}
			if held == 0 {
				return verdict{}
			}
			v.unsure = v.unsure || texts.Unsure
		}
		if !inBody && len(r.matchers) > 0 {
			// A matcher that fails ends the request in Caddy's own routes. Here it
			// must not, so it matches nothing.
			if ok, err := r.matchers.AnyMatchWithError(request.HTTP); !ok || err != nil {
				return verdict{}
			}
		}
	}
	return v
}
