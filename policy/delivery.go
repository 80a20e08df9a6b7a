// SPDX-License-Identifier: Apache-2.0

// Package policy is what a configuration says of how endpoints are delivered to: those
// of the operator, and those of subscribers.
package policy

import (
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/internal/argument"
)

// Delivery says how an endpoint is delivered to.
type Delivery struct {
	// Order says which deliveries wait for each other: those of one `object`,
	// in the order of its events; all of the `endpoint`, in the order in which
	// events were found; or `none`. One that fails holds up those that wait
	// for it until it is delivered or given up. Default: `object`.
	Order endpoint.Order `json:"order,omitempty"`

	// Coalesce keeps of several deliveries that wait for each other only the
	// newest: after an outage the endpoint gets each object's state once, and
	// not its whole history.
	Coalesce bool `json:"coalesce,omitempty"`

	// Concurrency is how many attempts may be in flight at once. It is fewer
	// while the receiver is down or asks for less. Default: 64.
	Concurrency int `json:"concurrency,omitempty"`

	// Rate is how many attempts are made in a time, as `10/s`, `300/m` or
	// `1000/h`. Default: no limit.
	Rate string `json:"rate,omitempty"`

	// Success are the statuses by which the receiver says that it took an
	// event: codes such as `200`, or classes such as `2xx`. Default: `2xx`.
	Success []string `json:"success,omitempty"`

	// Deadline is how long after its event was found a delivery may be
	// attempted; then it is dead, whatever the retries say. Default: no limit.
	Deadline caddy.Duration `json:"deadline,omitempty"`

	// WhenDisabled says what becomes of events that are found while the
	// endpoint is disabled: `keep` them until it returns, or `drop` them.
	// Default: `keep`.
	WhenDisabled endpoint.WhenDisabled `json:"when_disabled,omitempty"`

	// DisableAfter is for how long every attempt must have failed before the
	// endpoint is disabled, at least 1h; -1 is never. Default: 120h.
	DisableAfter caddy.Duration `json:"disable_after,omitempty"`

	// Trace sends receivers the place of each attempt in its trace, as
	// `traceparent`. Without it, attempts are still traced if Caddy traces
	// requests, but receivers do not get their place.
	Trace bool `json:"trace,omitempty"`

	// Tenant limits the endpoint to events of objects that this tenant owns, by
	// the resource's `tenant`. Default: the objects of everyone.
	Tenant string `json:"tenant,omitempty"`
}

// Apply checks the policy and sets it for an endpoint.
func (p *Delivery) Apply(to *endpoint.Endpoint) error {
	to.Order, to.Coalesce, to.Concurrency = p.Order, p.Coalesce, p.Concurrency
	to.Deadline, to.WhenDisabled, to.DisableAfter = time.Duration(p.Deadline), p.WhenDisabled, time.Duration(p.DisableAfter)
	to.Trace, to.Tenant = p.Trace, p.Tenant
	if p.DisableAfter < 0 {
		to.DisableAfter = endpoint.Never
	}
	var err error
	if p.Rate != "" {
		if to.Rate, err = endpoint.ParseRate(p.Rate); err != nil {
			return err
		}
	}
	to.Success, err = endpoint.ParseStatuses(p.Success...)
	return err
}

// DeliveryWords are the words of a Delivery, for messages.
const DeliveryWords = "order, coalesce, concurrency, rate, success, deadline, when_disabled, disable_after, trace and tenant"

// Unmarshal reads one word of an endpoint's block. It reports false for a word
// that is not of the policy. Syntax:
//
//	order         object|endpoint|none
//	coalesce
//	concurrency   <number>
//	rate          <number>/s|m|h
//	success       <statuses...>
//	deadline      <duration>
//	when_disabled keep|drop
//	disable_after <duration>|never
//	trace
//	tenant        <name>
func (p *Delivery) Unmarshal(d *caddyfile.Dispenser, word string) (bool, error) {
	switch word {
	case "coalesce":
		p.Coalesce = true
		return true, noArgument(d)
	case "trace":
		p.Trace = true
		return true, noArgument(d)
	case "deadline":
		return true, argument.Duration(d, &p.Deadline)
	case "success":
		p.Success = d.RemainingArgs()
		if len(p.Success) == 0 {
			return true, d.Err("success takes statuses, as 200 202 or 2xx")
		}
		if _, err := endpoint.ParseStatuses(p.Success...); err != nil {
			return true, d.WrapErr(err)
		}
		return true, nil
	case "order", "concurrency", "rate", "when_disabled", "disable_after", "tenant":
		value, err := argument.One(d)
		if err != nil {
			return true, err
		}
		return true, p.unmarshalValue(d, word, value)
	}
	return false, nil
}

// unmarshalValue reads the value of a word that has one.
func (p *Delivery) unmarshalValue(d *caddyfile.Dispenser, word, value string) error {
	var err error
	switch word {
	case "order":
		p.Order = endpoint.Order(value)
		switch p.Order {
		case endpoint.OrderObject, endpoint.OrderEndpoint, endpoint.OrderNone:
		default:
			return d.Errf("order is object, endpoint or none, not %q", value)
		}
	case "concurrency":
		p.Concurrency, err = strconv.Atoi(value)
		if err != nil || p.Concurrency < 1 || p.Concurrency > endpoint.MaxConcurrency {
			return d.Errf("concurrency is a number from 1 to %d, not %q", endpoint.MaxConcurrency, value)
		}
	case "rate":
		p.Rate = value
		if _, err := endpoint.ParseRate(value); err != nil {
			return d.WrapErr(err)
		}
	case "when_disabled":
		p.WhenDisabled = endpoint.WhenDisabled(value)
		if p.WhenDisabled != endpoint.Keep && p.WhenDisabled != endpoint.Drop {
			return d.Errf("when_disabled is keep or drop, not %q", value)
		}
	case "disable_after":
		if value == "never" {
			p.DisableAfter = -1
			return nil
		}
		after, err := caddy.ParseDuration(value)
		if err != nil || after < endpoint.MinDisableAfter || after > endpoint.MaxDisableAfter {
			return d.Errf("disable_after is a duration from %s to %s, as 5d, or never; not %q", endpoint.MinDisableAfter, endpoint.MaxDisableAfter, value)
		}
		p.DisableAfter = caddy.Duration(after)
	case "tenant":
		p.Tenant = value
	}
	return nil
}

// noArgument refuses arguments of a word that stands alone.
func noArgument(d *caddyfile.Dispenser) error {
	word := d.Val()
	if d.NextArg() {
		return d.Errf("%s stands alone; remove %q", word, d.Val())
	}
	return nil
}
