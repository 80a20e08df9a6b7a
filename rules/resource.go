// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

func (r *Resource) compileShow(d syntax.Resource) error {
	var err error
	r.Show, err = compileTemplate(*d.Show)
	switch {
	case err != nil:
		return err
	case r.Show.whole:
		return errors.New("a Show is a request of its own, not a Location")
	case len(r.Show.Names) == 0:
		return fmt.Errorf("it does not say which object; put :id where its id stands, as /%s/:id", d.Name)
	case slices.ContainsFunc(r.Show.Names, func(name string) bool { return !isName(name) }):
		return fmt.Errorf("the names in braces are parts of the object's key: letters, digits and '_', as {id}")
	case !slices.Contains([]string{syntax.ShowFromOperator, syntax.ShowFromCaller, syntax.ShowFromResponse}, d.ShowFrom):
		return fmt.Errorf("show is taken from the operator, the caller or the response, not from %q", d.ShowFrom)
	}
	if r.gone, err = compileAnswer(d.Gone); err != nil {
		return fmt.Errorf("gone: %w", err)
	}
	if r.failed, err = compileAnswer(d.Failed); err != nil {
		return fmt.Errorf("failed: %w", err)
	}
	return nil
}

// compileKeys compiles where the parts of the key stand.
func (r *Resource) compileKeys(d syntax.Resource) (map[string][]Value, error) {
	var err error
	if r.IDs, err = storableValues(d.ID); err != nil {
		return nil, PartError{r.Name, "id", fmt.Errorf("resource %s: id: %w", r.Name, err)}
	}
	keys := make(map[string][]Value)
	for _, name := range slices.Sorted(maps.Keys(d.Keys)) {
		switch {
		case !slices.Contains(r.Show.Names, name):
			err = fmt.Errorf("show %s has no such name", r.showText)
		case name == r.Show.Names[len(r.Show.Names)-1] && r.idsGiven:
			err = errors.New("`id` says this already; keep one of them")
		default:
			keys[name], err = storableValues(d.Keys[name])
		}
		if err != nil {
			return nil, PartError{r.Name, "key", fmt.Errorf("resource %s: key :%s: %w", r.Name, name, err)}
		}
	}
	return keys, nil
}

func storableValues(texts []string) ([]Value, error) {
	values, err := ParseValues(texts)
	if err != nil {
		return nil, err
	}
	for _, v := range values {
		if err := v.storable(); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func (r *Resource) compileVersion(d syntax.Resource) error {
	if d.Lag < 0 {
		return errors.New("lag must not be negative")
	}
	if r.ETag = d.Version == syntax.VersionETag; r.ETag {
		return nil
	}
	r.Version = d.Version
	if err := checkFieldPath(d.Version); err != nil {
		return err
	}
	if err := checkFieldPath(d.Tenant); err != nil {
		return fmt.Errorf("tenant: %w", err)
	}
	return nil
}

func (r *Resource) compileProjection(d syntax.Resource) error {
	if len(d.Hide) > 0 && len(d.Only) > 0 {
		return errors.New("hide and only exclude each other; keep one of them")
	}
	if len(d.Hide)+len(d.Only) == 0 {
		return nil
	}
	for _, path := range slices.Concat(d.Hide, d.Only) {
		// It would hide nothing, without a word.
		if strings.HasPrefix(path, "/") {
			return fmt.Errorf("path %q: %w", path, errXPath)
		}
	}
	var err error
	r.Projection, err = event.NewProjection(d.Hide, d.Only)
	return err
}

func (r *Resource) compileWatch(d syntax.Resource) error {
	if d.Watch == nil {
		return nil
	}
	if d.Watch.Every <= 0 {
		return errors.New("it takes how often an object is looked at, as `watch every 30s until state in completed`")
	}
	if d.Watch.Until == nil {
		return errors.New("it has no end; add the state in which an object does not change any more, as `until state in completed cancelled`")
	}
	until, err := compileFinal(d.Watch.Until)
	if err != nil {
		return err
	}
	r.Watch = &Watch{Every: time.Duration(d.Watch.Every), Until: *until, Text: d.Watch.Until.String()}
	return nil
}

// compileFinal compiles a condition on a Show.
func compileFinal(declared *syntax.Condition) (*Condition, error) {
	compiled, err := compileConditions([]*syntax.Condition{declared})
	if err != nil {
		return nil, err
	}
	if compiled[0].value.Source != FromResponse {
		return nil, fmt.Errorf("until takes a path in Show, not %s", declared.Value)
	}
	return &compiled[0], nil
}

func (r *Resource) compileNotify(d syntax.Resource) error {
	if d.Notify == nil {
		return nil
	}
	made := new(Callback)
	var err error
	if made.URL, err = parseValue(d.Notify.URL); err != nil {
		return err
	}
	if d.Notify.Authorization != "" {
		if made.Authorization, err = parseValue(d.Notify.Authorization); err != nil {
			return err
		}
	}
	if !made.URL.InRequest() || made.Authorization.Text != "" && !made.Authorization.InRequest() {
		return errors.New("the receiver stands in the request; write request:PATH, query:NAME or header:NAME")
	}
	if made.Filter, err = event.ParseFilter(d.Notify.Events...); err != nil {
		return err
	}
	if d.Notify.Until != nil {
		if made.Until, err = compileFinal(d.Notify.Until); err != nil {
			return err
		}
	}
	r.Callback = made
	return nil
}

func (r *Resource) compileEvents(d syntax.Resource) error {
	for _, rule := range d.Events {
		trigger, err := compileTrigger(rule)
		if err != nil {
			return PartError{r.Name, rule, fmt.Errorf("resource %s: event %s: %w", d.Name, rule.Type, err)}
		}
		r.Triggers = append(r.Triggers, trigger)
	}
	return nil
}

// checkHidden refuses what would bring a hidden field to the disk or the wire.
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
