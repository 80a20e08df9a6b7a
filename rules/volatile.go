// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// compileVolatile compiles the option `volatile`.
func (r *Resource) compileVolatile(d syntax.Resource) error {
	if len(d.Volatile) == 0 {
		return nil
	}
	paths := plainPaths(d.Volatile)
	r.VolatileID = strings.Join(slices.Sorted(slices.Values(paths)), " ")
	var err error
	r.Volatile, err = project(paths, nil)
	return err
}

// checkVolatile refuses options for which a volatile field would have to be
// compared.
func (r *Resource) checkVolatile(d syntax.Resource) error {
	for i, rule := range d.Events {
		for _, path := range append(r.Triggers[i].Type.Paths(), rule.Paths...) {
			if r.Volatile.Covers(path) {
				return PartError{r.Name, rule, fmt.Errorf("resource %s: event %s: %s is volatile, so its changes are not seen", d.Name, rule.Type, path)}
			}
		}
	}
	if r.Tenant != "" && r.Volatile.Covers(r.Tenant) {
		return PartError{r.Name, "tenant", errors.New("the tenant is volatile; who owns an object decides who is told of it")}
	}
	if r.Version != "" && r.Volatile.Covers(r.Version) {
		return PartError{r.Name, "version", errors.New("the version is volatile; a version changes with its object alone")}
	}
	return nil
}
