// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// unmarshal reads a rule after its kind. Syntax:
//
//	<methods> <path> [where <condition>] {
//	    where   <condition>
//	    match   { <matchers...> }
//	    success [<statuses...>] [where <condition>]
//	    refused [<statuses...>] [where <condition>]
//	    touches <resource> <value>
//	    touches <resource> via [<method>] <path> [body <body>] <ids>
//	    find    [<method>] <path> [body <body>] <ids>
//	    later   [<method>] <path> [body <body>] <ids> [within <duration>]
//	}
func (d *Rule) unmarshal(tokens *caddyfile.Dispenser, resource string) error {
	args := tokens.RemainingArgs()
	if len(args) < 2 || len(args) > 2 && args[2] != "where" {
		return tokens.Errf("%s takes methods and a path, as `%s PUT|PATCH /%s/:id`", d.Kind, d.Kind, resource)
	}
	d.Path = args[1]
	d.at = fmt.Sprintf(", at %s:%d", tokens.File(), tokens.Line())
	if args[0] != "*" {
		d.Methods = strings.Split(args[0], "|")
	}
	for _, method := range d.Methods {
		if !isMethod(method) {
			return tokens.Errf("%q is no HTTP method; methods are written in capitals and joined by |", method)
		}
	}
	if len(args) > 2 {
		condition, err := parseCondition(tokens, args[3:])
		if err != nil {
			return err
		}
		d.Where = append(d.Where, condition)
	}
	for nesting := tokens.Nesting(); tokens.NextBlock(nesting); {
		if err := d.unmarshalOption(tokens, tokens.Val()); err != nil {
			return err
		}
	}
	return nil
}

func (d *Rule) unmarshalOption(tokens *caddyfile.Dispenser, word string) error {
	if word == "match" {
		set, err := caddyhttp.ParseCaddyfileNestedMatcherSet(tokens)
		if err != nil {
			return err
		}
		d.MatchRaw = append(d.MatchRaw, set)
		return nil
	}
	args := tokens.RemainingArgs()
	var err error
	switch word {
	case "where":
		condition, err := parseCondition(tokens, args)
		d.Where = append(d.Where, condition)
		return err
	case "success":
		return unmarshalAnswer(tokens, word, args, &d.Success)
	case "refused":
		return unmarshalAnswer(tokens, word, args, &d.Refused)
	case "touches":
		return d.unmarshalTouches(tokens, args)
	case "find":
		if d.Find != nil {
			return tokens.Err("find stands twice in a rule; keep one of them")
		}
		d.Find, err = unmarshalListing(tokens, word, args)
		return err
	case "later":
		return d.unmarshalLater(tokens, args)
	}
	return tokens.Errf("unknown option %q of a rule; it takes where, match, success, refused, touches, find and later", word)
}

// unmarshalAnswer reads `[STATUSES...] [where CONDITION]`.
func unmarshalAnswer(d *caddyfile.Dispenser, word string, args []string, to **Answer) error {
	if *to == nil {
		*to = new(Answer)
	}
	statuses, rest := args, []string(nil)
	if at := slices.Index(args, "where"); at >= 0 {
		statuses, rest = args[:at], args[at+1:]
	}
	(*to).Statuses = append((*to).Statuses, statuses...)
	if rest != nil {
		condition, err := parseCondition(d, rest)
		if err != nil {
			return err
		}
		(*to).Where = append((*to).Where, condition)
	}
	if _, err := (*to).compile(); err != nil {
		return d.Errf("%s: %v", word, err)
	}
	return nil
}

func (d *Rule) unmarshalTouches(tokens *caddyfile.Dispenser, args []string) error {
	switch {
	case len(args) == 2:
		d.Touches = append(d.Touches, &Touch{Resource: args[0], IDs: args[1]})
		return nil
	case len(args) > 2 && args[1] == "via":
		via, err := unmarshalListing(tokens, "touches "+args[0]+" via", args[2:])
		d.Touches = append(d.Touches, &Touch{Resource: args[0], Via: via})
		return err
	}
	return tokens.Err("touches takes a resource and where the ids of its objects stand, as `touches users user.id`, " +
		"or the request that lists them, as `touches transactions via GET /items/:id/transactions transactions.#.id`")
}

func unmarshalListing(d *caddyfile.Dispenser, word string, args []string) (*Listing, error) {
	example := "/items?reference={request:reference} items.#.id"
	request, rest, err := unmarshalRequest(d, args, word, example)
	if err != nil {
		return nil, err
	}
	if len(rest) != 1 {
		return nil, d.Errf("%s takes a request and the path of the ids in its answer, as `%s GET %s`", word, word, example)
	}
	listing := &Listing{Request: request, IDs: rest[0]}
	return listing, unmarshalRequestBlock(d, &listing.Request)
}

func (d *Rule) unmarshalLater(tokens *caddyfile.Dispenser, args []string) error {
	if d.Later != nil {
		return tokens.Err("later stands twice in a rule; keep one of them")
	}
	d.Later = new(Later)
	if n := len(args); n >= 2 && args[n-2] == "within" {
		within, err := caddy.ParseDuration(args[n-1])
		if err != nil || within <= 0 {
			return tokens.Errf("later within takes a duration, as 10m or 2h, not %q", args[n-1])
		}
		d.Later.Within, args = caddy.Duration(within), args[:n-2]
	}
	listing, err := unmarshalListing(tokens, "later", args)
	if err != nil {
		return err
	}
	d.Later.Listing = *listing
	return nil
}
