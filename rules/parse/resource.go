// SPDX-License-Identifier: Apache-2.0

// Package parse reads the Caddyfile of resources: it turns words into the types of
// [syntax], and says where each of them stands.
package parse

import (
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/argument"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// Resource reads one resource after the word. It notes where its parts stand, and is to be
// checked with all others, when the last has been read. Syntax:
//
//	show    [<method>] <path> [body <body>] {
//	    header <field> <value>
//	    body   <body>
//	    gone   [<statuses...>] [where <condition>]
//	    failed [<statuses...>] [where <condition>]
//	    html
//	}
//	show    from response
//	show    as caller [<headers...>]
//	keep    show
//	create|update|delete|move <methods> <path> [where <condition>] {
//	    # see unmarshalRule
//	}
//	id      <values...>
//	key     :<name> <values...>
//	conventions rules|events|none
//	aliases
//	caller_ids <ids...>|none
//	slashes
//	endings <endings...>
//	version <path>|etag
//	lag     <duration>
//	tenant  <path>
//	parent  <resource> <values...>
//	hide    <paths...>
//	only    <paths...>
//	volatile <paths...>
//	event   <type> on create|delete [when <expression>]
//	event   <type> on change [<paths...>] [from <values...>] [to <values...>] [when <expression>]
//	watch   every <duration> until <condition>
//	list    [<method>] <path> <ids...> {
//	    version  <path>
//	    next     <path> [as <parameter>]
//	    page     [<parameter>] [from <number>]
//	    offset   [<parameter>] [from <number>]
//	    every    <duration>
//	    backfill
//	}
//	notify  url <value> [authorization <value>] [events <types...>] [until <condition>]
//
// Methods are joined by "|"; "*" stands for every unsafe method. A condition is
// a value and `is <values...>` (or `in`), `not <values...>`, `matches
// <expression>`, `exists` or `not exists`.
func Resource(d *caddyfile.Dispenser, all Lines) (*syntax.Resource, error) {
	name, err := argument.One(d)
	if err != nil {
		return nil, err
	}
	if all[name] != nil {
		return nil, d.Errf("resource %s is declared twice; merge the two", name)
	}
	r := &syntax.Resource{Name: name}
	lines := map[any]caddyfile.Token{nil: d.Token()}
	all[name] = lines
	notes := noteLines(r, d.Token())
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word, line := d.Val(), d.Token()
		part, err := unmarshalResourceOption(d, r, word)
		if err != nil {
			return nil, err
		}
		if _, twice := lines[part]; twice && onlyOnce[part] {
			return nil, fmt.Errorf("%v stands twice in resource %s; keep one of them, at %s:%d", part, name, line.File, line.Line)
		}
		lines[part] = line
		notes.note(part, line)
	}
	return r, nil
}

// onlyOnce are the options that a resource has once.
var onlyOnce = map[any]bool{
	"show": true, "show from": true, "keep": true, "id": true, "conventions": true, "aliases": true, "caller_ids": true, "slashes": true, "endings": true, "version": true, "lag": true,
	"tenant": true, "parent": true, "watch": true, "list": true, "notify": true,
}

// ResourceWords are the options of a resource, as an error lists them.
const ResourceWords = "show, keep, create, update, delete, move, id, key, conventions, aliases, caller_ids, slashes, endings, version, lag, tenant, parent, hide, only, volatile, event, watch, list and notify"

// commentHint tells of a path that a Caddyfile takes for a comment.
const commentHint = "a word that begins with # is a comment: the elements of an array without a name are *, as `*.id`"

// unmarshalResourceOption reads one option, and returns the part of the resource that
// it has set, as a [rules.PartError] names it.
func unmarshalResourceOption(d *caddyfile.Dispenser, r *syntax.Resource, word string) (part any, err error) {
	switch word {
	case "create", "update", "delete", "move":
		rule := &syntax.Rule{Kind: event.Kind(word)}
		r.Rules = append(r.Rules, rule)
		err := unmarshalRule(d, rule, r.Name)
		return rule, err
	case "show":
		return unmarshalShow(d, r)
	case "list":
		return word, unmarshalList(d, r)
	}
	args := d.RemainingArgs()
	switch word {
	case "keep":
		if len(args) != 1 || args[0] != "show" {
			return nil, d.Err("keep takes `show`, as `keep show`")
		}
		r.KeepShow = true
	case "id":
		if r.ID = args; len(args) == 0 {
			return nil, d.Err("id takes the path at which the id stands in a body, as `id data.id`; " + commentHint)
		}
	case "key":
		return word, unmarshalKey(d, args, &r.Keys)
	case "conventions":
		if len(args) != 1 {
			return nil, d.Err("conventions takes which of them hold: `conventions rules`, `conventions events` or `conventions none`; without the word, both do")
		}
		r.Conventions = args[0]
	case "aliases":
		if r.Aliases = true; len(args) > 0 {
			return nil, d.Err("aliases takes nothing after it")
		}
	case "caller_ids":
		if r.CallerIDs = args; len(args) == 0 {
			return nil, d.Err("caller_ids takes the ids that stand for the caller, as `caller_ids me self`, or `none`")
		}
	case "slashes":
		if r.Slashes = true; len(args) > 0 {
			return nil, d.Err("slashes takes nothing after it")
		}
	case "endings":
		if r.Endings = args; len(args) == 0 {
			return nil, d.Err("endings takes what the API leaves out at the end of a path, as `endings .json ;jsessionid=*`")
		}
	case "version":
		if len(args) != 1 {
			return nil, d.Err("version takes the path of one field, as `version updated_at`, or `etag`")
		}
		r.Version = args[0]
	case "lag":
		return word, argument.DurationOf(d, word, args, &r.Lag)
	case "tenant":
		if len(args) != 1 {
			return nil, d.Err("tenant takes the path of the object's owner, as `tenant seller.id`")
		}
		r.Tenant = args[0]
	case "parent":
		if len(args) < 2 {
			return nil, d.Err("parent takes a resource and where the parent's id stands in Show, as `parent articles article_id`")
		}
		r.Parent = &syntax.Parent{Resource: args[0], Key: args[1:]}
	case "hide", "only", "volatile":
		return unmarshalPaths(d, r, word, args)
	case "event":
		return unmarshalEvent(d, r, args)
	case "watch":
		return word, unmarshalWatch(d, r, args)
	case "notify":
		return word, unmarshalNotify(d, r, args)
	default:
		return nil, d.Errf("unknown option %q of resource %s; it takes %s", word, r.Name, ResourceWords)
	}
	return word, nil
}

// unmarshalKey reads `:NAME VALUES…`.
func unmarshalKey(d *caddyfile.Dispenser, args []string, to *map[string][]string) error {
	if len(args) < 2 || !strings.HasPrefix(args[0], ":") {
		return d.Errf("key takes a name of show's path and where else it stands, as `key :dossier request:dossier_id`")
	}
	if *to == nil {
		*to = make(map[string][]string)
	}
	(*to)[args[0][1:]] = append((*to)[args[0][1:]], args[1:]...)
	return nil
}

// unmarshalPaths parses the options that take paths of Show.
func unmarshalPaths(d *caddyfile.Dispenser, r *syntax.Resource, word string, args []string) (part any, err error) {
	if len(args) == 0 {
		return nil, d.Errf("%s takes paths of Show, as `%s buyer.card`", word, word)
	}
	switch word {
	case "hide":
		r.Hide = append(r.Hide, args...)
	case "only":
		r.Only = append(r.Only, args...)
		return "hide", nil
	case "volatile":
		r.Volatile = append(r.Volatile, args...)
	}
	return word, nil
}
