// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/internal/argument"
	"github.com/caddy-webhooks/caddy-webhooks/policy"
)

// unmarshalEndpoint reads
//
//	endpoint {
//	    auth      none|basic|bearer|header
//	    signature standard|rfc9421|x-signature|none
//	    payload   show|standard|...
//	    payload   standard|gateway data <name=path...>
//	    order     object|endpoint|none
//	    secret    own
//	    ...       as package policy has them, but for tenant
//	}
//
// Of the first four, those that are joined by | are offered; data goes with one.
func unmarshalEndpoint(d *caddyfile.Dispenser) (*syntax.Endpoint, error) {
	if d.NextArg() {
		return nil, d.Errf("endpoint of subscribers has no name and no URL, which are theirs; remove %q", d.Val())
	}
	e := new(syntax.Endpoint)
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		if seen[word] {
			return nil, d.Errf("%s stands twice in endpoint; keep one of them", word)
		}
		seen[word] = true
		if err := endpointOption(d, word, e); err != nil {
			return nil, err
		}
		if err := (&syntax.Subscribers{Endpoint: e}).Check(); err != nil {
			return nil, d.WrapErr(err)
		}
	}
	return e, nil
}

func endpointOption(d *caddyfile.Dispenser, word string, e *syntax.Endpoint) error {
	if word == "payload" {
		return payloadOption(d, e)
	}
	if to, offered := map[string]*[]string{"auth": &e.Auth, "signature": &e.Signature, "order": &e.Order}[word]; offered {
		value, err := argument.One(d)
		*to = strings.Split(value, "|")
		return err
	}
	if word == "secret" {
		value, err := argument.One(d)
		if e.OwnSecret = value == "own"; err == nil && !e.OwnSecret {
			err = d.Err("secret takes `own`: subscribers may send one of their own; without it, each is made here")
		}
		return err
	}
	if word == "events" || word == "filter" || word == "tenant" {
		return d.Errf("%s is each subscriber's own; leave it out", word)
	}
	known, err := e.Attempts.Unmarshal(d, word)
	if !known && err == nil {
		known, err = e.Delivery.Unmarshal(d, word)
	}
	if !known && err == nil {
		err = d.Errf("unknown option %q of subscribers' endpoint; it takes auth, signature, payload, secret, %s, %s", word, policy.AttemptsWords, strings.Replace(policy.DeliveryWords, ", trace and tenant", " and trace", 1))
	}
	return err
}

// payloadOption reads which payloads are offered, and what the one has as its data.
func payloadOption(d *caddyfile.Dispenser, e *syntax.Endpoint) error {
	args := d.RemainingArgs()
	if len(args) != 1 && (len(args) < 3 || args[1] != "data") {
		return d.Errf("payload takes the formats that are offered, as `payload show|standard`, or one with its data, as `payload gateway data object=.`, not `payload %s`", strings.Join(args, " "))
	}
	e.Payload = strings.Split(args[0], "|")
	for _, arg := range args[min(2, len(args)):] {
		name, path, isField := strings.Cut(arg, "=")
		if !isField {
			return d.Errf("data takes NAME=PATH, as `payload gateway data object=.`, not %q", arg)
		}
		e.Data = append(e.Data, syntax.Data{Name: name, Path: path})
	}
	return nil
}
