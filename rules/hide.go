// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// compileHide compiles the options `hide` and `only`.
func (r *Resource) compileHide(d syntax.Resource) error {
	if len(d.Hide) > 0 && len(d.Only) > 0 {
		return errors.New("hide and only exclude each other; keep one of them")
	}
	if len(d.Hide)+len(d.Only) == 0 {
		return nil
	}
	var err error
	r.Projection, err = project(plainPaths(d.Hide), plainPaths(d.Only))
	return err
}

// project makes a projection of paths.
func project(hide, only []string) (event.Projection, error) {
	for _, path := range slices.Concat(hide, only) {
		// Such a path would match no field, and so silently remove nothing.
		if strings.HasPrefix(path, "/") {
			return event.Projection{}, fmt.Errorf("path %q: %w", path, errXPath)
		}
	}
	return event.NewProjection(hide, only)
}

// checkHidden refuses options that would bring a hidden field to the disk or the
// wire.
func (r *Resource) checkHidden(d syntax.Resource) error {
	if r.Projection.IsZero() {
		return nil
	}
	hidden := func(part any, word, path string) error {
		return PartError{r.Name, part, fmt.Errorf("resource %s: %s: %s is hidden, and this would store it", d.Name, word, path)}
	}
	if r.Projection.Covers(r.Version) && r.Version != "" {
		return hidden("version", "version", r.Version)
	}
	if r.Tenant != "" && r.Projection.Covers(r.Tenant) {
		return hidden("tenant", "tenant", r.Tenant)
	}
	for i, rule := range d.Events {
		for _, path := range r.Triggers[i].Type.Paths() {
			if r.Projection.Covers(path) {
				return hidden(rule, "event "+rule.Type, path)
			}
		}
		for _, path := range rule.Paths {
			if len(rule.From) > 0 && r.Projection.Covers(path) {
				return hidden(rule, "event "+rule.Type+": from", path)
			}
		}
	}
	return nil
}
