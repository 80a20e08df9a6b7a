// SPDX-License-Identifier: Apache-2.0

// Package failpoint marks the places at which a crash is tested. In a build
// with the tag "failpoints", the process kills itself at the place that the
// environment names, or waits there; in any other build the marks cost nothing.
package failpoint

import (
	"strconv"
	"strings"
)

// Variable is the environment variable that names the point at which the
// process kills itself: "name" for its first passage, "name:N" for its N-th.
const Variable = "CADDY_WEBHOOKS_FAILPOINT"

// Hold is the environment variable that names a point at which the process
// waits as long as a file exists: "name=FILE".
const Hold = "CADDY_WEBHOOKS_HOLD"

// parse reads the variable's value. A suffix that is not a passage number
// belongs to the name.
func parse(value string) (name string, passage uint64) {
	name, number, ok := strings.Cut(value, ":")
	if !ok {
		return value, 1
	}
	passage, err := strconv.ParseUint(number, 10, 64)
	if err != nil || passage == 0 {
		return value, 1
	}
	return name, passage
}
