// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/internal/argument"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

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
			if err := argument.DurationOf(d, "every", args, &l.Every); err != nil {
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
