// SPDX-License-Identifier: Apache-2.0

// Package argument reads what stands behind a word of a Caddyfile.
package argument

import (
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// One takes the one argument that an option has.
func One(d *caddyfile.Dispenser) (string, error) {
	word := d.Val()
	args := d.RemainingArgs()
	if len(args) != 1 {
		return "", d.Errf("%s takes one argument, not %d", word, len(args))
	}
	return args[0], nil
}

// Duration takes the one argument of an option that is a duration above 0.
func Duration(d *caddyfile.Dispenser, to *caddy.Duration) error {
	word := d.Val()
	return DurationOf(d, word, d.RemainingArgs(), to)
}

// DurationOf takes a duration above 0 from the arguments of a word.
func DurationOf(d *caddyfile.Dispenser, word string, args []string, to *caddy.Duration) error {
	if len(args) == 1 {
		if parsed, err := caddy.ParseDuration(args[0]); err == nil && parsed > 0 {
			*to = caddy.Duration(parsed)
			return nil
		}
	}
	return d.Errf("%s takes a duration, as 30s or 2h, not %q", word, strings.Join(args, " "))
}

// Count takes the one argument of an option that is a whole number above 0.
func Count(d *caddyfile.Dispenser, to *int) error {
	word := d.Val()
	value, err := One(d)
	if err != nil {
		return err
	}
	*to, err = strconv.Atoi(value)
	if err != nil || *to <= 0 || strconv.Itoa(*to) != value {
		return d.Errf("%s takes a number above 0, not %q", word, value)
	}
	return nil
}
