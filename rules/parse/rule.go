// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// unmarshalRule reads a rule after its kind. Syntax:
//
//	<methods> <path> [where <condition>] {
//	    where   <condition>
//	    id      <values...>
//	    key     :<name> <values...>
//	    match   { <matchers...> }
//	    success [<statuses...>] [where <condition>]
//	    refused [<statuses...>] [where <condition>]
//	    touches <resource> <values...>
//	    touches <resource> via [<method>] <path> [body <body>] <ids...>
//	    find    [<method>] <path> [body <body>] <ids...>
//	    later   [<method>] <path> [body <body>] <ids...> [within <duration>]
//	}
func unmarshalRule(d *caddyfile.Dispenser, rule *syntax.Rule, resource string) error {
	args := d.RemainingArgs()
	if len(args) < 2 || len(args) > 2 && args[2] != "where" {
		return d.Errf("%s takes methods and a path, as `%s PUT|PATCH /%s/:id`", rule.Kind, rule.Kind, resource)
	}
	rule.Path = args[1]
	if args[0] != "*" {
		rule.Methods = strings.Split(args[0], "|")
	}
	for _, method := range rule.Methods {
		if !isMethod(method) {
			return d.Errf("%q is no HTTP method; methods are written in capitals and joined by |", method)
		}
	}
	if len(args) > 2 {
		condition, err := parseCondition(d, args[3:])
		if err != nil {
			return err
		}
		rule.Where = append(rule.Where, condition)
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := unmarshalRuleOption(d, rule, d.Val()); err != nil {
			return err
		}
	}
	return nil
}

func unmarshalRuleOption(d *caddyfile.Dispenser, rule *syntax.Rule, word string) error {
	if word == "match" {
		set, err := caddyhttp.ParseCaddyfileNestedMatcherSet(d)
		if err != nil {
			return err
		}
		rule.MatchRaw = append(rule.MatchRaw, set)
		return nil
	}
	args := d.RemainingArgs()
	var err error
	switch word {
	case "where":
		condition, err := parseCondition(d, args)
		rule.Where = append(rule.Where, condition)
		return err
	case "id":
		if rule.ID != nil || len(args) == 0 {
			return d.Err("id takes, once, where the object's id stands in the exchanges of this rule, as `id request:key`")
		}
		rule.ID = args
		return nil
	case "key":
		return unmarshalKey(d, args, &rule.Keys)
	case "success":
		return unmarshalAnswer(d, word, args, &rule.Success)
	case "refused":
		return unmarshalAnswer(d, word, args, &rule.Refused)
	case "touches":
		return unmarshalRuleTouches(d, rule, args)
	case "find":
		if rule.Find != nil {
			return d.Err("find stands twice in a rule; keep one of them")
		}
		rule.Find, err = unmarshalQuery(d, word, args)
		return err
	case "later":
		return unmarshalRuleLater(d, rule, args)
	}
	return d.Errf("unknown option %q of a rule; it takes where, id, key, match, success, refused, touches, find and later", word)
}

// unmarshalRuleTouches reads `touches RESOURCE VALUE`, `touches RESOURCE via QUERY` or
// `touches RESOURCE children`.
func unmarshalRuleTouches(d *caddyfile.Dispenser, rule *syntax.Rule, args []string) error {
	switch {
	case len(args) > 2 && args[1] == "via":
		via, err := unmarshalQuery(d, "touches "+args[0]+" via", args[2:])
		rule.Touches = append(rule.Touches, &syntax.Touch{Resource: args[0], Via: via})
		return err
	case len(args) == 2 && args[1] == "children":
		rule.Touches = append(rule.Touches, &syntax.Touch{Resource: args[0], Children: true})
		return nil
	case len(args) >= 2:
		last := len(args) - 1
		rule.Touches = append(rule.Touches, &syntax.Touch{Resource: args[0], Keys: args[1:last:last], IDs: args[last]})
		return nil
	}
	return d.Err("touches takes a resource and where the ids of its objects stand, as `touches users user.id`, " +
		"or the request that lists them, as `touches transactions via GET /items/:id/transactions transactions.#.id`")
}

// unmarshalRuleLater reads `later QUERY [within DURATION]`.
func unmarshalRuleLater(d *caddyfile.Dispenser, rule *syntax.Rule, args []string) error {
	if rule.Later != nil {
		return d.Err("later stands twice in a rule; keep one of them")
	}
	rule.Later = new(syntax.Later)
	if n := len(args); n >= 2 && args[n-2] == "within" {
		within, err := caddy.ParseDuration(args[n-1])
		if err != nil || within <= 0 {
			return d.Errf("later within takes a duration, as 10m or 2h, not %q", args[n-1])
		}
		rule.Later.Within, args = caddy.Duration(within), args[:n-2]
	}
	query, err := unmarshalQuery(d, "later", args)
	if err != nil {
		return err
	}
	rule.Later.Query = *query
	return nil
}

// isMethod reports whether a text can be an HTTP method.
func isMethod(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r < 'A' || r > 'Z' }) < 0
}
