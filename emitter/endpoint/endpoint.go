// SPDX-License-Identifier: Apache-2.0

// Package endpoint holds the model of endpoints, the receivers of events: their
// addresses, the event types they want, and how events are delivered to them.
package endpoint

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/auth"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
	"github.com/caddy-webhooks/caddy-webhooks/event/when"
)

// Defaults of an endpoint.
const (
	// DefaultTimeout is the time limit of an attempt.
	DefaultTimeout = 10 * time.Second
	// DefaultConcurrency is the number of attempts that may be in flight.
	DefaultConcurrency = 64
	// DefaultDisableAfter is how long every attempt must have failed before the
	// endpoint is disabled. It is longer than the default schedule takes to
	// give up a delivery.
	DefaultDisableAfter = 5 * 24 * time.Hour
)

// Order says which deliveries of an endpoint wait for each other.
type Order string

const (
	// OrderObject, the default: deliveries of the same object, in the order of
	// its events.
	OrderObject Order = "object"
	// OrderEndpoint: all deliveries, in the order in which events were
	// committed. A delivery that fails holds up all that follow.
	OrderEndpoint Order = "endpoint"
	// OrderNone: no deliveries.
	OrderNone Order = "none"
)

// WhenDisabled says what happens to events that are made while an endpoint is
// disabled.
type WhenDisabled string

const (
	// Keep, the default: they are kept, and delivered when the endpoint is
	// enabled again.
	Keep WhenDisabled = "keep"
	// Drop: the endpoint does not get them.
	Drop WhenDisabled = "drop"
)

// Never as DisableAfter means that failures do not disable the endpoint.
const Never time.Duration = -1

// Limits of an endpoint's options. They are far from every sensible value, and
// catch typing errors that would make an endpoint that never gives up, or a
// delivery that is leased for days.
const (
	MaxNameLength  = 64
	MaxSecrets     = 4
	MaxTimeout     = 5 * time.Minute
	MaxRetries     = 100
	MaxRetryDelay  = 30 * 24 * time.Hour
	MaxConcurrency = 4096
	MaxDeadline    = 365 * 24 * time.Hour
	// MinDisableAfter keeps a short outage from disabling an endpoint.
	MinDisableAfter = time.Hour
	MaxDisableAfter = 365 * 24 * time.Hour
)

// DefaultSchedule returns the delays between a failed first attempt and each
// following one: ten attempts within 75 hours and 35 minutes. Standard Webhooks
// recommends these delays.
func DefaultSchedule() []time.Duration {
	return []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
		5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

// Endpoint is where a subscriber receives events.
type Endpoint struct {
	// Name is the endpoint's identity: as long as the name stays, the endpoint
	// keeps its deliveries, whatever else changes. Letters, digits, ".", "_"
	// and "-", at most [MaxNameLength].
	Name string
	// URL is where deliveries are posted to. The egress policy, not this
	// package, decides which URLs are allowed.
	URL string
	// Secrets sign the deliveries, each with a signature of its own: the
	// current one first, then earlier ones that receivers may still expect.
	// Most signatures need at least one; at most [MaxSecrets].
	Secrets []sign.Secret
	// Signatures are the ways in which deliveries are signed, side by side. nil
	// is [sign.Standard] alone; an empty slice means that deliveries are not
	// signed.
	Signatures []sign.Scheme
	// Auth adds credentials to deliveries, for receivers that authenticate
	// callers. nil is none.
	Auth auth.Authenticator
	// Payload is the format in which events are sent. The zero Format is the
	// Show as it is.
	Payload payload.Format
	// TLS configures connections to this endpoint: the client certificate, and
	// the authority that must have signed the receiver's. nil is the default.
	TLS *egress.TLS
	// Events says which event types the endpoint gets. The zero Filter is all.
	Events event.Filter
	// Filter is a condition on the events of those types; nil is none.
	Filter *when.Filter
	// Tenant, if not empty, limits the endpoint to events of objects that this
	// tenant owns. An endpoint without a tenant is the operator's and gets
	// every tenant's events.
	Tenant string
	// Order says which deliveries wait for each other. "" is [OrderObject].
	Order Order
	// Coalesce keeps only the newest of several deliveries that wait for each
	// other: after an outage the endpoint gets each object's state once.
	Coalesce bool
	// Timeout is the time limit of an attempt, from dialing to the last byte of
	// the answer. 0 is [DefaultTimeout]; at most [MaxTimeout].
	Timeout time.Duration
	// Schedule holds the delays between a failed attempt and the next. nil is
	// [DefaultSchedule]; an empty slice means one attempt and no retry. At most
	// [MaxRetries] of at most [MaxRetryDelay] each.
	Schedule []time.Duration
	// Concurrency is the number of attempts that may be in flight at once. 0 is
	// [DefaultConcurrency]; at most [MaxConcurrency].
	Concurrency int
	// Rate limits how many attempts are made per unit of time. The zero Rate is
	// no limit.
	Rate Rate
	// Success says which statuses mean that the receiver accepted the event.
	// The zero Statuses is 2xx.
	Success Statuses
	// Deadline is how long after the commit of its event a delivery may still
	// be attempted. 0 is no limit but the schedule's; at most [MaxDeadline].
	Deadline time.Duration
	// WhenDisabled says what happens to events while the endpoint is disabled.
	// "" is [Keep].
	WhenDisabled WhenDisabled
	// DisableAfter is how long every attempt must have failed before the
	// endpoint is disabled. 0 is [DefaultDisableAfter]; [Never] is never.
	DisableAfter time.Duration
	// Trace sends the trace of the exchange that caused an event, as the header
	// traceparent.
	Trace bool
	// Paused means that its owner wants its deliveries to wait. An operator pauses an
	// endpoint at the emitter, whatever its owner wants.
	Paused bool
}

// WithDefaults returns the endpoint with its defaults filled in.
func (e Endpoint) WithDefaults() Endpoint {
	if e.Signatures == nil {
		e.Signatures = []sign.Scheme{sign.Standard{}}
	}
	if e.Timeout == 0 {
		e.Timeout = DefaultTimeout
	}
	if e.Schedule == nil {
		e.Schedule = DefaultSchedule()
	}
	if e.Concurrency == 0 {
		e.Concurrency = DefaultConcurrency
	}
	if e.Order == "" {
		e.Order = OrderObject
	}
	if e.WhenDisabled == "" {
		e.WhenDisabled = Keep
	}
	if e.DisableAfter == 0 {
		e.DisableAfter = DefaultDisableAfter
	}
	return e
}

// Validate returns what is wrong with the endpoint, as [ErrBadEndpoint].
func (e Endpoint) Validate() error {
	if err := checkName(e.Name); err != nil {
		return err
	}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%w: endpoint %s: %s", ErrBadEndpoint, e.Name, fmt.Sprintf(format, args...))
	}
	switch {
	case e.URL == "":
		return fail("it has no URL; write it after the name")
	case slices.ContainsFunc(e.Secrets, sign.Secret.IsZero):
		return fail("%s", sign.ErrNoSecret)
	case len(e.Secrets) > MaxSecrets:
		return fail("it has %d secrets; keep the current one and those still in use, at most %d", len(e.Secrets), MaxSecrets)
	case e.Timeout < 0 || e.Timeout > MaxTimeout:
		return fail("timeout %s is not between 0 and %s", e.Timeout, MaxTimeout)
	case len(e.Schedule) > MaxRetries:
		return fail("retry has %d delays; at most %d are possible", len(e.Schedule), MaxRetries)
	case e.Concurrency < 0 || e.Concurrency > MaxConcurrency:
		return fail("concurrency %d is not between 1 and %d", e.Concurrency, MaxConcurrency)
	}
	if err := e.validatePolicy(); err != nil {
		return fail("%s", err)
	}
	if err := e.validateHeaders(); err != nil {
		return fmt.Errorf("%w: endpoint %s: %w", ErrBadEndpoint, e.Name, err)
	}
	for _, delay := range e.Schedule {
		if delay <= 0 || delay > MaxRetryDelay {
			return fail("retry %s is not between 0s and %s; for no retries, write: retry none", delay, MaxRetryDelay)
		}
	}
	return nil
}

// validatePolicy returns what is wrong with how the endpoint is delivered to.
func (e Endpoint) validatePolicy() error {
	switch {
	case e.Order != "" && e.Order != OrderObject && e.Order != OrderEndpoint && e.Order != OrderNone:
		return fmt.Errorf("order is object, endpoint or none, not %q", e.Order)
	case e.Coalesce && e.Order == OrderNone:
		return errors.New("coalesce keeps the newest of deliveries that wait for each other, and with order none they do not; leave one of them out")
	case e.Coalesce && e.Payload.IsDifference():
		return fmt.Errorf("payload %s tells the difference to the Show before, and coalesce leaves events out; leave one of them out", e.Payload.Kind())
	case !e.Rate.valid():
		return fmt.Errorf("rate %d per %s is not possible; write it as 10/s, 300/m or 1000/h", e.Rate.Count, e.Rate.Per)
	case e.Deadline < 0 || e.Deadline > MaxDeadline:
		return fmt.Errorf("deadline %s is not between 0 and %s", e.Deadline, MaxDeadline)
	case e.WhenDisabled != "" && e.WhenDisabled != Keep && e.WhenDisabled != Drop:
		return fmt.Errorf("when_disabled is keep or drop, not %q", e.WhenDisabled)
	case e.DisableAfter != 0 && e.DisableAfter != Never && (e.DisableAfter < MinDisableAfter || e.DisableAfter > MaxDisableAfter):
		return fmt.Errorf("disable_after %s is not between %s and %s, or never", e.DisableAfter, MinDisableAfter, MaxDisableAfter)
	}
	return nil
}

// validateHeaders returns what is wrong with signatures and credentials.
func (e Endpoint) validateHeaders() error {
	used := map[string]bool{}
	if e.Auth != nil {
		for _, name := range e.Auth.Headers() {
			used[name] = true
		}
	}
	for _, scheme := range e.WithDefaults().Signatures {
		if err := scheme.Check(e.Secrets); err != nil {
			return err
		}
		for _, name := range scheme.Headers() {
			if used[name] {
				return fmt.Errorf("two of its signatures and credentials need the header %s; leave one of them out", name)
			}
			used[name] = true
		}
	}
	return nil
}

// checkName refuses a name that would not be one word in the Caddyfile, a log
// line, a metric's label or a path of the admin API.
func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it has no name; write: endpoint NAME URL", ErrBadEndpoint)
	case len(name) > MaxNameLength:
		return fmt.Errorf("%w: the name that begins with %q has %d characters; at most %d are possible", ErrBadEndpoint, name[:16], len(name), MaxNameLength)
	case strings.Contains(name, "://"):
		return fmt.Errorf("%w: a URL stands in place of the name; write: endpoint NAME URL", ErrBadEndpoint)
	case strings.IndexFunc(name, event.NotTypeRune) >= 0 || strings.Trim(name, ".") == "":
		return fmt.Errorf("%w: the name %q may only have letters, digits, \".\", \"_\" and \"-\"", ErrBadEndpoint, name)
	}
	return nil
}
