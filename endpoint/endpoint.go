// SPDX-License-Identifier: Apache-2.0

// Package endpoint holds the model of those who receive events: where each
// one is, which event types it wants, and how it is delivered to.
package endpoint

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
)

// Defaults of an endpoint.
const (
	// DefaultTimeout is how long an attempt may take.
	DefaultTimeout = 10 * time.Second
	// DefaultConcurrency is how many attempts may be in flight.
	DefaultConcurrency = 64
)

// Bounds of what may be asked for. They are far from every sensible value, and
// keep a slip of the pen from making an endpoint that never gives up, or a
// delivery that is leased for days.
const (
	MaxNameLength  = 64
	MaxSecrets     = 4
	MaxTimeout     = 5 * time.Minute
	MaxRetries     = 100
	MaxRetryDelay  = 30 * 24 * time.Hour
	MaxConcurrency = 4096
)

// DefaultSchedule returns the delays before the attempts that follow a failed
// first one: with it, ten attempts within 75 hours and 35 minutes. They are
// those that Standard Webhooks recommends.
func DefaultSchedule() []time.Duration {
	return []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
		5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

// Endpoint is where a subscriber receives events.
type Endpoint struct {
	// Name is the endpoint's identity: an endpoint that keeps its name keeps
	// its deliveries, whatever else about it changes. Letters, digits, ".",
	// "_" and "-", at most [MaxNameLength].
	Name string
	// URL is where deliveries are posted to. What it may be is decided by the
	// egress policy, not here.
	URL string
	// Secrets sign the deliveries, each with a signature of its own: the
	// current one first, then those that receivers may still expect. Most
	// signatures need at least one; at most [MaxSecrets].
	Secrets []sign.Secret
	// Signatures are the ways in which deliveries are signed, side by side. nil
	// is [sign.Standard] alone; an empty slice means that they are not signed.
	Signatures []sign.Scheme
	// Events says which event types the endpoint gets. The zero Filter is all.
	Events Filter
	// Timeout is how long an attempt may take, from dialing to the last byte
	// of the answer. 0 is [DefaultTimeout]; at most [MaxTimeout].
	Timeout time.Duration
	// Schedule holds the delays between a failed attempt and the next. nil is
	// [DefaultSchedule]; an empty slice means one attempt and no retry. At most
	// [MaxRetries] of at most [MaxRetryDelay] each.
	Schedule []time.Duration
	// Concurrency is how many attempts may be in flight at once. 0 is
	// [DefaultConcurrency]; at most [MaxConcurrency].
	Concurrency int
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
	for _, scheme := range e.WithDefaults().Signatures {
		if err := scheme.Check(e.Secrets); err != nil {
			return fmt.Errorf("%w: endpoint %s: %w", ErrBadEndpoint, e.Name, err)
		}
	}
	for _, delay := range e.Schedule {
		if delay <= 0 || delay > MaxRetryDelay {
			return fail("retry %s is not between 0s and %s; for no retries, write: retry none", delay, MaxRetryDelay)
		}
	}
	return nil
}

// checkName refuses what would not be one word in the Caddyfile, a log line,
// a metric's label or a path of the admin API.
func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it has no name; write: endpoint NAME URL", ErrBadEndpoint)
	case len(name) > MaxNameLength:
		return fmt.Errorf("%w: the name that begins with %q has %d characters; at most %d are possible", ErrBadEndpoint, name[:16], len(name), MaxNameLength)
	case strings.Contains(name, "://"):
		return fmt.Errorf("%w: a URL stands in place of the name; write: endpoint NAME URL", ErrBadEndpoint)
	case strings.IndexFunc(name, notTypeRune) >= 0 || strings.Trim(name, ".") == "":
		return fmt.Errorf("%w: the name %q may only have letters, digits, \".\", \"_\" and \"-\"", ErrBadEndpoint, name)
	}
	return nil
}
