// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

func (r *resource) compileShow(d Resource) error {
	var err error
	r.show, err = compileTemplate(*d.Show)
	switch {
	case err != nil:
		return err
	case r.show.whole:
		return errors.New("a Show is a request of its own, not a Location")
	case len(r.show.names) == 0:
		return fmt.Errorf("it does not say which object; put :id where its id stands, as /%s/:id", d.Name)
	case slices.ContainsFunc(r.show.names, func(name string) bool { return !isName(name) }):
		return fmt.Errorf("the names in braces are parts of the object's key: letters, digits and '_', as {id}")
	case !slices.Contains([]string{showFromOperator, showFromCaller, showFromResponse}, d.ShowFrom):
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
func (r *resource) compileKeys(d Resource) (map[string][]value, error) {
	var err error
	if r.ids, err = storableValues(d.ID); err != nil {
		return nil, PartError{r.name, "id", fmt.Errorf("resource %s: id: %w", r.name, err)}
	}
	keys := make(map[string][]value)
	for _, name := range slices.Sorted(maps.Keys(d.Keys)) {
		switch {
		case !slices.Contains(r.show.names, name):
			err = fmt.Errorf("show %s has no such name", r.showText)
		case name == r.show.names[len(r.show.names)-1] && r.idsGiven:
			err = errors.New("`id` says this already; keep one of them")
		default:
			keys[name], err = storableValues(d.Keys[name])
		}
		if err != nil {
			return nil, PartError{r.name, "key", fmt.Errorf("resource %s: key :%s: %w", r.name, name, err)}
		}
	}
	return keys, nil
}

func storableValues(texts []string) ([]value, error) {
	values, err := parseValues(texts)
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

func (r *resource) compileVersion(d Resource) error {
	if d.Lag < 0 {
		return errors.New("lag must not be negative")
	}
	if r.etag = d.Version == versionETag; r.etag {
		return nil
	}
	r.version = d.Version
	if err := checkFieldPath(d.Version); err != nil {
		return err
	}
	if err := checkFieldPath(d.Tenant); err != nil {
		return fmt.Errorf("tenant: %w", err)
	}
	return nil
}

func (r *resource) compileProjection(d Resource) error {
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
	r.projection, err = event.NewProjection(d.Hide, d.Only)
	return err
}

func (r *resource) compileWatch(d Resource) error {
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
	r.watch = &watching{every: time.Duration(d.Watch.Every), until: *until, text: d.Watch.Until.String()}
	return nil
}

// compileFinal compiles a condition on a Show.
func compileFinal(declared *Condition) (*condition, error) {
	compiled, err := compileConditions([]*Condition{declared})
	if err != nil {
		return nil, err
	}
	if compiled[0].value.source != fromResponse {
		return nil, fmt.Errorf("until takes a path in Show, not %s", declared.Value)
	}
	return &compiled[0], nil
}

func (r *resource) compileNotify(d Resource) error {
	if d.Notify == nil {
		return nil
	}
	made := new(notify)
	var err error
	if made.url, err = parseValue(d.Notify.URL); err != nil {
		return err
	}
	if d.Notify.Authorization != "" {
		if made.authorization, err = parseValue(d.Notify.Authorization); err != nil {
			return err
		}
	}
	if !made.url.inRequest() || made.authorization.text != "" && !made.authorization.inRequest() {
		return errors.New("the receiver stands in the request; write request:PATH, query:NAME or header:NAME")
	}
	if made.filter, err = event.ParseFilter(d.Notify.Events...); err != nil {
		return err
	}
	if d.Notify.Until != nil {
		if made.until, err = compileFinal(d.Notify.Until); err != nil {
			return err
		}
	}
	r.notify = made
	return nil
}

func (r *resource) compileEvents(d Resource) error {
	for _, rule := range d.Events {
		trigger, err := compileTrigger(rule)
		if err != nil {
			return PartError{r.name, rule, fmt.Errorf("resource %s: event %s: %w", d.Name, rule.Type, err)}
		}
		r.triggers = append(r.triggers, trigger)
	}
	return nil
}

// checkHidden refuses what would bring a hidden field to the disk or the wire.
func (r *resource) checkHidden(d Resource) error {
	if r.projection.IsZero() {
		return nil
	}
	hidden := func(part any, word, path string) error {
		return PartError{r.name, part, fmt.Errorf("resource %s: %s: %s is hidden, and this would store it", d.Name, word, path)}
	}
	if r.projection.Covers(r.version) && r.version != "" {
		return hidden("version", "version", r.version)
	}
	if r.tenant != "" && r.projection.Covers(r.tenant) {
		return hidden("tenant", "tenant", r.tenant)
	}
	for i, rule := range d.Events {
		for _, path := range r.triggers[i].Type.Paths() {
			if r.projection.Covers(path) {
				return hidden(rule, "event "+rule.Type, path)
			}
		}
		for _, path := range rule.Paths {
			if len(rule.From) > 0 && r.projection.Covers(path) {
				return hidden(rule, "event "+rule.Type+": from", path)
			}
		}
	}
	return nil
}
