// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// partLines holds the lines of the parts of resources, by resource and part (see
// [rules.PartError]); the part nil is the resource as a whole.
type partLines map[string]map[any]caddyfile.Token

// locate adds the line of the part that an error is about.
func (l partLines) locate(err error) error {
	var wrong rules.PartError
	if !errors.As(err, &wrong) {
		return err
	}
	at, ok := l[wrong.Resource][wrong.Part]
	if !ok {
		at = l[wrong.Resource][nil]
	}
	return fmt.Errorf("%w, at %s:%d", err, at.File, at.Line)
}

// unmarshalResource reads one resource. It is checked with all others, when
// the last has been read.
func (h *Handler) unmarshalResource(d *caddyfile.Dispenser, all partLines) error {
	name, err := argument(d)
	if err != nil {
		return err
	}
	if all[name] != nil {
		return d.Errf("resource %s is declared twice; merge the two", name)
	}
	r := &syntax.Resource{Name: name}
	lines := map[any]caddyfile.Token{nil: d.Token()}
	all[name] = lines
	notes := noteLines(r, d.Token())
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word, line := d.Val(), d.Token()
		part, err := unmarshalResourceOption(d, r, word)
		if err != nil {
			return err
		}
		if _, twice := lines[part]; twice && onlyOnce[part] {
			return fmt.Errorf("%v stands twice in resource %s; keep one of them, at %s:%d", part, name, line.File, line.Line)
		}
		lines[part] = line
		notes.note(part, line)
	}
	h.Resources = append(h.Resources, r)
	return nil
}

// onlyOnce are the options that a resource has once.
var onlyOnce = map[any]bool{
	"show": true, "show from": true, "keep": true, "id": true, "conventions": true, "aliases": true, "caller_ids": true, "slashes": true, "endings": true, "version": true, "lag": true,
	"tenant": true, "parent": true, "watch": true, "list": true, "notify": true,
}

const resourceWords = "show, keep, create, update, delete, move, id, key, conventions, aliases, caller_ids, slashes, endings, version, lag, tenant, parent, hide, only, volatile, event, watch, list and notify"

// commentHint tells of a path that a Caddyfile takes for a comment.
const commentHint = "a word that begins with # is a comment: the elements of an array without a name are *, as `*.id`"

// unmarshalResourceOption reads one option, and returns the part of the resource that
// it has set, as a [rules.PartError] names it. Syntax:
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
		return word, durationOf(d, word, args, &r.Lag)
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
		return nil, d.Errf("unknown option %q of resource %s; it takes %s", word, r.Name, resourceWords)
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

// unmarshalShow reads `show …` and its block.
func unmarshalShow(d *caddyfile.Dispenser, r *syntax.Resource) (part any, err error) {
	args := d.RemainingArgs()
	switch {
	case len(args) == 2 && args[0] == "from" && args[1] == "response":
		r.ShowFrom = syntax.ShowFromResponse
		return "show from", nil
	case len(args) >= 2 && args[0] == "as" && args[1] == "caller":
		r.ShowFrom, r.CallerHeaders = syntax.ShowFromCaller, args[2:]
		return "show from", nil
	}
	request, rest, err := unmarshalRequest(d, args, "show", "/"+r.Name+"/:id")
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, d.Errf("show: unexpected %q after the path", rest[0])
	}
	r.Show = &request
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch word := d.Val(); word {
		case "gone":
			err = unmarshalAnswer(d, word, d.RemainingArgs(), &r.Gone)
		case "failed":
			err = unmarshalAnswer(d, word, d.RemainingArgs(), &r.Failed)
		case "header", "body":
			err = unmarshalRequestOption(d, word, &request)
		case "html":
			if r.HTML = true; d.NextArg() {
				err = d.Err("html takes nothing after it")
			}
		default:
			err = d.Errf("unknown option %q of show; it takes header, body, gone, failed and html", word)
		}
		if err != nil {
			return nil, err
		}
	}
	return "show", nil
}

// unmarshalRequest reads a method, a path and perhaps a body from the arguments
// of an option, and returns the arguments after them.
func unmarshalRequest(d *caddyfile.Dispenser, args []string, word, example string) (request syntax.Request, rest []string, err error) {
	if len(args) > 0 && isMethod(args[0]) {
		request.Method, args = args[0], args[1:]
	}
	if len(args) == 0 || !strings.HasPrefix(args[0], "/") && args[0] != syntax.LocationPath {
		return request, nil, d.Errf("%s takes a method and a path, as `%s GET %s`", word, word, example)
	}
	request.Path, args = args[0], args[1:]
	if len(args) >= 2 && args[0] == "body" {
		request.Body, args = args[1], args[2:]
	}
	return request, args, nil
}

// unmarshalRequestBlock reads the block of a request.
func unmarshalRequestBlock(d *caddyfile.Dispenser, request *syntax.Request) error {
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := unmarshalRequestOption(d, d.Val(), request); err != nil {
			return err
		}
	}
	return nil
}

func unmarshalRequestOption(d *caddyfile.Dispenser, word string, request *syntax.Request) error {
	args := d.RemainingArgs()
	switch {
	case word == "header" && len(args) == 2:
		if request.Header == nil {
			request.Header = make(map[string]string)
		}
		request.Header[args[0]] = args[1]
	case word == "body" && len(args) == 1:
		request.Body = args[0]
	default:
		return d.Errf("a request takes `header FIELD VALUE` and `body BODY`, not `%s`", strings.Join(append([]string{word}, args...), " "))
	}
	return nil
}

// unmarshalEvent reads `TYPE on create|change|delete …`.
func unmarshalEvent(d *caddyfile.Dispenser, r *syntax.Resource, args []string) (*syntax.EventRule, error) {
	if len(args) < 3 || args[1] != "on" {
		return nil, d.Errf("event takes a type and a trigger, as `event %s.updated on change`", r.Name)
	}
	rule := &syntax.EventRule{Type: args[0], On: event.Op(args[2])}
	list := &rule.Paths
	for i := 3; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "when":
			if rule.When = strings.Join(args[i+1:], " "); rule.When == "" {
				return nil, d.Errf("event %s: when takes a condition in CEL, as `when \"object.amount > 100\"`", rule.Type)
			}
			i = len(args)
		case arg == "from" && rule.From == nil:
			rule.From = []string{}
			list = &rule.From
		case arg == "to" && rule.To == nil:
			rule.To = []string{}
			list = &rule.To
		default:
			*list = append(*list, arg)
		}
	}
	if rule.From != nil && len(rule.From) == 0 || rule.To != nil && len(rule.To) == 0 {
		return nil, d.Errf("event %s: from and to are followed by values, as `from pending to completed`", rule.Type)
	}
	r.Events = append(r.Events, rule)
	return rule, nil
}

// unmarshalWatch reads `every DURATION until CONDITION`.
func unmarshalWatch(d *caddyfile.Dispenser, r *syntax.Resource, args []string) error {
	if len(args) < 2 || args[0] != "every" {
		return d.Err("watch takes how often and until when, as `watch every 30s until state in completed cancelled`")
	}
	every, err := caddy.ParseDuration(args[1])
	if err != nil || every <= 0 {
		return d.Errf("watch every takes a duration, as 30s or 2h, not %q", args[1])
	}
	r.Watch = &syntax.Watch{Every: caddy.Duration(every)}
	if len(args) == 2 {
		return d.Err("watch has no end, and would look at every object for ever; " +
			"add the state in which an object does not change any more, as `until state in completed cancelled`")
	}
	if args[2] != "until" {
		return d.Errf("watch: expected `until`, not %q", args[2])
	}
	r.Watch.Until, err = parseCondition(d, args[3:])
	return err
}

// unmarshalNotify reads `url VALUE [authorization VALUE] [events TYPES…] [until
// CONDITION]`.
func unmarshalNotify(d *caddyfile.Dispenser, r *syntax.Resource, args []string) error {
	n := new(syntax.Notify)
	r.Notify = n
	for len(args) > 0 {
		var err error
		switch {
		case args[0] == "url" && len(args) > 1:
			n.URL, args = args[1], args[2:]
		case args[0] == "authorization" && len(args) > 1:
			n.Authorization, args = args[1], args[2:]
		case args[0] == "events" && len(args) > 1:
			args = args[1:]
			for len(args) > 0 && args[0] != "until" {
				n.Events, args = append(n.Events, args[0]), args[1:]
			}
		case args[0] == "until":
			if n.Until, err = parseCondition(d, args[1:]); err != nil {
				return err
			}
			args = nil
		default:
			return d.Errf("notify takes `url VALUE`, `authorization VALUE`, `events TYPES...` and `until CONDITION`, not %q", args[0])
		}
	}
	if n.URL == "" {
		return d.Err("notify takes where the receiver's URL stands in the request, as `notify url request:notificationUrl`")
	}
	return nil
}

// unmarshalList reads a list and its block.
func unmarshalList(d *caddyfile.Dispenser, r *syntax.Resource) error {
	example := "/" + r.Name + " " + r.Name + ".#.id"
	request, rest, err := unmarshalRequest(d, d.RemainingArgs(), "list", example)
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		return d.Errf("list takes a request and the path of the ids in its answer, as `list GET %s`; %s", example, commentHint)
	}
	l := &syntax.List{Query: *queryOf(request, rest)}
	r.List = l
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		if word == "header" || word == "body" {
			if err := unmarshalRequestOption(d, word, &l.Request); err != nil {
				return err
			}
			continue
		}
		args := d.RemainingArgs()
		switch {
		case word == "version" && len(args) == 1:
			l.Version = args[0]
		case word == "next" && len(args) == 1:
			l.Next = args[0]
		case word == "next" && len(args) == 3 && args[1] == "as":
			l.Next, l.NextQuery = args[0], args[2]
		case word == "page" || word == "offset":
			if err := unmarshalCount(d, word, args, l); err != nil {
				return err
			}
		case word == "every":
			if err := durationOf(d, "every", args, &l.Every); err != nil {
				return err
			}
		case word == "backfill" && len(args) == 0:
			l.Backfill = true
		default:
			return d.Errf("list takes `version PATH`, `next PATH [as PARAMETER]`, `page [PARAMETER] [from N]`, `offset [PARAMETER] [from N]`, "+
				"`every DURATION`, `backfill`, `header` and `body`, not `%s`",
				strings.Join(append([]string{word}, args...), " "))
		}
	}
	return nil
}

// unmarshalCount reads `page [PARAMETER] [from N]` or `offset [PARAMETER] [from N]`.
func unmarshalCount(d *caddyfile.Dispenser, word string, args []string, l *syntax.List) error {
	if l.Counts != "" {
		return d.Err("a list counts pages or objects; keep one of them")
	}
	l.Counts = syntax.CountPages
	if word == "offset" {
		l.Counts = syntax.CountObjects
	}
	if n := len(args); n >= 2 && args[n-2] == "from" {
		from, err := strconv.Atoi(args[n-1])
		if err != nil || from < 0 {
			return d.Errf("%s from takes the number of the first, as 0 or 1, not %q", word, args[n-1])
		}
		l.From, args = &from, args[:n-2]
	}
	switch len(args) {
	case 0:
	case 1:
		l.NextQuery = args[0]
	default:
		return d.Errf("%s takes a parameter, and perhaps what counting begins with, as `%s start from 0`", word, word)
	}
	return nil
}

// parseCondition reads a value and what must stand there.
func parseCondition(d *caddyfile.Dispenser, args []string) (*syntax.Condition, error) {
	if len(args) == 1 && strings.ContainsAny(args[0], " ()=<>&|!") {
		return &syntax.Condition{Expression: args[0]}, nil
	}
	if len(args) >= 2 {
		c := &syntax.Condition{Value: args[0]}
		switch rest := args[2:]; {
		case (args[1] == "is" || args[1] == "in") && len(rest) > 0:
			c.Is = rest
			return c, nil
		case args[1] == "not" && len(rest) == 1 && rest[0] == "exists":
			c.Is = []string{""}
			return c, nil
		case args[1] == "not" && len(rest) > 0:
			c.Not = rest
			return c, nil
		case args[1] == "matches" && len(rest) == 1:
			c.Matches = rest[0]
			return c, nil
		case args[1] == "exists" && len(rest) == 0:
			c.Exists = true
			return c, nil
		}
	}
	return nil, d.Errf("a condition is a value and `is VALUES...`, `not VALUES...`, `matches EXPRESSION`, `exists` or `not exists`, as `state in paid cancelled`, or an expression of CEL in quotes, as \"request.amount > 0\"; not `%s`",
		strings.Join(args, " "))
}
