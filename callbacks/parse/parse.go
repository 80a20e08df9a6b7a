// SPDX-License-Identifier: Apache-2.0

// Package parse reads the Caddyfile of what subscribers may do.
package parse

import (
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/syntax"
)

// Subscribers reads
//
//	subscribers {
//	    limit   <n>
//	    limit   one per type
//	    verify  off
//	    require <members...>
//	    type    <pattern> [as <alias>] [<description>] {
//	        schema <file|json>
//	        sample <file|json>
//	    }
//	    endpoint {
//	        # see unmarshalEndpoint
//	    }
//	}
func Subscribers(d *caddyfile.Dispenser) (*syntax.Subscribers, error) {
	if d.NextArg() {
		return nil, d.Errf("unexpected %q after subscribers; its options stand in a block", d.Val())
	}
	s := new(syntax.Subscribers)
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		if word == "type" {
			t, err := unmarshalType(d)
			if err != nil {
				return nil, err
			}
			s.Types = append(s.Types, t)
			if err := s.Check(); err != nil {
				return nil, d.WrapErr(err)
			}
			continue
		}
		if word == "endpoint" {
			if s.Endpoint != nil {
				return nil, d.Err("endpoint stands twice in subscribers; merge the two")
			}
			var err error
			if s.Endpoint, err = unmarshalEndpoint(d); err != nil {
				return nil, err
			}
			continue
		}
		args := d.RemainingArgs()
		line := strings.Join(append([]string{word}, args...), " ")
		name := word
		switch {
		case line == "limit one per type":
			name, s.OnePerType = line, true
		case word == "limit" && len(args) == 1:
			n, err := strconv.Atoi(args[0])
			if err != nil || n < 1 {
				return nil, d.Errf("limit takes a number of endpoints above 0, or `one per type`, not %q", args[0])
			}
			s.Limit = n
		case line == "verify off":
			s.NoVerify = true
		case word == "require" && len(args) > 0:
			s.Require = args
		default:
			return nil, d.Errf("subscribers takes `limit NUMBER`, `limit one per type`, `verify off`, `require MEMBER...`, `type PATTERN` and `endpoint { … }`, not `%s`", line)
		}
		if seen[name] {
			return nil, d.Errf("%s stands twice in subscribers; keep one of them", name)
		}
		seen[name] = true
	}
	if err := s.Check(); err != nil {
		return nil, d.WrapErr(err)
	}
	return s, nil
}

// Authorize reads
//
//	authorize key
//	authorize <placeholder>
//	authorize GET <path> tenant <path>
//	authorize GET <path with :tenant>
//	authorize GET <path> shared
func Authorize(d *caddyfile.Dispenser) (*syntax.Authorize, error) {
	args := d.RemainingArgs()
	a := new(syntax.Authorize)
	switch {
	case len(args) == 1 && args[0] == "key":
		a.Key = true
	case len(args) == 1:
		a.Tenant = args[0]
	case len(args) == 4 && args[2] == "tenant":
		a.Method, a.Path, a.Tenant = args[0], args[1], args[3]
	case len(args) == 3 && args[2] == "shared":
		a.Method, a.Path, a.Shared = args[0], args[1], true
	case len(args) == 2 && strings.HasPrefix(args[1], "/"):
		a.Method, a.Path = args[0], args[1]
	default:
		return nil, d.Errf("authorize takes key, a placeholder as {http.auth.user.id}, `GET PATH tenant PATH`, or `GET PATH shared`, not `%s`", strings.Join(args, " "))
	}
	if err := a.Check(); err != nil {
		return nil, d.WrapErr(err)
	}
	return a, nil
}
