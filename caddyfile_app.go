// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	callbacks "github.com/caddy-webhooks/caddy-webhooks/callbacks/parse"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/when"
	"github.com/caddy-webhooks/caddy-webhooks/internal/argument"
	"github.com/caddy-webhooks/caddy-webhooks/policy"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// UnmarshalCaddyfile sets up the app from the global option. Syntax:
//
//	webhooks {
//	    queue      badger [<dir>]
//	    durability power|process
//	    retention  <duration> [<size>]
//	    free_space  <low> [<critical> [<reserve>]]
//	    secrets_key <current> [<previous...>]
//	    endpoint <name> <url> {
//	        events  <types...>
//	        filter  <condition>
//	        secret  <current> [<previous...>]
//	        signature standard|none|rfc9421|x-signature ...
//	        auth      basic|bearer|header|oauth2 ...
//	        tls       { ... }
//	        payload   show|standard|gateway|cloudevents|thin|fields ...
//	        timeout <duration>
//	        retry   <durations...>|none
//	        ...     as package policy has them
//	    }
//	    egress {
//	        allow http
//	        allow network <networks...>
//	        allow self
//	        deny  network <networks...>
//	        only  host    <hosts...>
//	        from  <addresses...>
//	        proxy <url>
//	    }
//	    subscribers {
//	        # see callbacks/parse
//	    }
//	}
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the option's name
	if d.NextArg() {
		return d.Errf("unexpected %q after webhooks; its options stand in a block", d.Val())
	}
	lines := make(map[string]caddyfile.Token) // of endpoints, by name
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		if word != "endpoint" && seen[word] {
			return d.Errf("%s stands twice; keep one of them", word)
		}
		seen[word] = true
		if err := a.unmarshalOption(d, word, lines); err != nil {
			return err
		}
	}
	return a.checkURLs(lines)
}

func (a *App) unmarshalOption(d *caddyfile.Dispenser, word string, lines map[string]caddyfile.Token) error {
	switch word {
	case "queue":
		return a.unmarshalQueue(d)
	case "durability":
		value, err := argument.One(d)
		if err != nil {
			return err
		}
		if _, err := queue.ParseDurability(value); err != nil {
			return d.Errf("durability is power or process, not %q", value)
		}
		a.Durability = value
		return nil
	case "retention":
		return a.unmarshalRetention(d)
	case "free_space":
		return a.unmarshalFreeSpace(d)
	case "secrets_key":
		if a.SecretsKeys = d.RemainingArgs(); len(a.SecretsKeys) == 0 {
			return d.Err("secrets_key takes the current key and those before, as `secrets_key {file./run/keys/webhooks}`; make one with `openssl rand -base64 32`")
		}
		return nil
	case "endpoint":
		return a.unmarshalEndpoint(d, lines)
	case "egress":
		return a.unmarshalEgress(d)
	case "subscribers":
		var err error
		a.Subscribers, err = callbacks.Subscribers(d)
		return err
	}
	return d.Errf("unknown option %q of webhooks; it takes queue, durability, retention, free_space, secrets_key, endpoint, egress and subscribers", word)
}

func (a *App) unmarshalEndpoint(d *caddyfile.Dispenser, lines map[string]caddyfile.Token) error {
	line := d.Token()
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Err("endpoint takes a name and a URL, as `endpoint erp https://erp.example.com/hooks`")
	}
	e := &Endpoint{Name: args[0], URL: args[1]}
	if _, twice := lines[e.Name]; twice {
		return d.Errf("endpoint %s is declared twice; its name is its identity, so give one of them another", e.Name)
	}
	lines[e.Name] = line
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		// Signatures stand side by side.
		if seen[word] && word != "signature" {
			return d.Errf("%s stands twice in endpoint %s; keep one of them", word, e.Name)
		}
		seen[word] = true
		if err := e.unmarshalOption(d, word); err != nil {
			return err
		}
	}
	if len(e.Secrets) == 0 && e.needsSecret() {
		return fmt.Errorf("endpoint %s has no secret, so its receiver could not tell our deliveries from forged ones; "+
			"add `secret {env.NAME}`, at %s:%d", e.Name, line.File, line.Line)
	}
	a.Endpoints = append(a.Endpoints, e)
	return nil
}

func (e *Endpoint) unmarshalOption(d *caddyfile.Dispenser, word string) error {
	args := func() ([]string, error) {
		values := d.RemainingArgs()
		if len(values) == 0 {
			return nil, d.Errf("%s of endpoint %s takes a value", word, e.Name)
		}
		return values, nil
	}
	var err error
	switch word {
	case "events":
		if e.Events, err = args(); err != nil {
			return err
		}
		if _, err := event.ParseFilter(e.Events...); err != nil {
			return d.WrapErr(err)
		}
		return nil
	case "filter":
		if e.Filter, err = argument.One(d); err != nil {
			return err
		}
		if _, err := when.CompileFilter(e.Filter); err != nil {
			return d.WrapErr(err)
		}
		return nil
	case "secret":
		return e.unmarshalSecret(d)
	case "signature":
		return e.unmarshalSignature(d)
	case "auth":
		return e.unmarshalAuth(d)
	case "tls":
		return e.unmarshalTLS(d)
	case "payload":
		return e.unmarshalPayload(d)
	}
	if mine, err := e.Attempts.Unmarshal(d, word); mine || err != nil {
		return err
	}
	if mine, err := e.Delivery.Unmarshal(d, word); mine || err != nil {
		return err
	}
	return d.Errf("unknown option %q of endpoint %s; it takes events, filter, secret, signature, auth, tls, payload, %s, %s", word, e.Name, policy.AttemptsWords, policy.DeliveryWords)
}

// checkURLs checks the endpoints' URLs against the egress policy, once both
// are known, so that an error can name the line. A URL with placeholders is
// checked when they are replaced.
func (a *App) checkURLs(lines map[string]caddyfile.Token) error {
	transport, err := a.Egress.written().transport()
	if err != nil {
		return err
	}
	for _, e := range a.Endpoints {
		if strings.Contains(e.URL, "{") || e.isNamed() {
			continue
		}
		if err := transport.CheckURL(e.URL); err != nil {
			line := lines[e.Name]
			return fmt.Errorf("endpoint %s: %w, at %s:%d", e.Name, err, line.File, line.Line)
		}
	}
	return nil
}
