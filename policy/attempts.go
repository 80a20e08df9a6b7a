// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/internal/argument"
)

// Attempts says how often a delivery is attempted, and for how long.
type Attempts struct {
	// Timeout is how long an attempt may take. Default: 10s.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// Retry holds how long to wait after a failed attempt before the next, in
	// order. Each is varied a little, so that what failed together does not
	// return together. Default: 5s, 5m, 30m, 2h, 5h, 10h, 14h, 20h, 24h.
	// If the receiver works again before, what waits is sent then.
	Retry []caddy.Duration `json:"retry,omitempty"`

	// NoRetry makes the first attempt the only one.
	NoRetry bool `json:"no_retry,omitempty"`
}

// Apply checks the attempts and sets them for an endpoint.
func (a *Attempts) Apply(to *endpoint.Endpoint) error {
	to.Timeout = time.Duration(a.Timeout)
	for _, delay := range a.Retry {
		to.Schedule = append(to.Schedule, time.Duration(delay))
	}
	if a.NoRetry {
		if len(a.Retry) > 0 {
			return errors.New("retry: it has both delays and `none`; keep one")
		}
		to.Schedule = []time.Duration{}
	}
	return nil
}

// AttemptsWords are the words of Attempts, for messages.
const AttemptsWords = "timeout, retry"

// Unmarshal reads one word of an endpoint's block. It reports false for a word that is
// not of the attempts. Syntax:
//
//	timeout <duration>
//	retry   <durations...>|none
func (a *Attempts) Unmarshal(d *caddyfile.Dispenser, word string) (bool, error) {
	switch word {
	case "timeout":
		return true, argument.Duration(d, &a.Timeout)
	case "retry":
		values := d.RemainingArgs()
		if len(values) == 1 && values[0] == "none" {
			a.NoRetry = true
			return true, nil
		}
		for _, value := range values {
			delay, err := caddy.ParseDuration(value)
			if err != nil || delay <= 0 {
				return true, d.Errf("retry takes durations, as 5s 5m 30m, or none; not %q", value)
			}
			a.Retry = append(a.Retry, caddy.Duration(delay))
		}
		if len(values) == 0 {
			return true, d.Err("retry takes a value: durations, as 5s 5m 30m, or none")
		}
		return true, nil
	}
	return false, nil
}
