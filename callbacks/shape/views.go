// SPDX-License-Identifier: Apache-2.0

package shape

import (
	"encoding/json"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Some members are another view of what we have:
//
//	enabled          status, as true or false
//	type             events, if there is one of them
//	object.id        the last part of an object's key
//	object.resource  the kind of the object
//	last.…           the last attempt

// shows returns the path of ours of which a field tells.
func (f *field) shows() []string {
	if !f.view {
		return f.path
	}
	switch f.ours() {
	case "enabled":
		return []string{"status"}
	case "type":
		return []string{"events"}
	}
	return f.path[:1]
}

// viewIn translates the value of a view. It returns what is set instead.
func (s *Shape) viewIn(f *field, value any) (path []string, ours any, fits bool) {
	switch f.ours() {
	case "enabled":
		on, isFlag := value.(bool)
		if on {
			return []string{"status"}, "active", isFlag
		}
		return []string{"status"}, "paused", isFlag
	case "type":
		if name, isName := nameOf(value); isName {
			pattern, known := s.types.Pattern(name)
			return []string{"events"}, []any{pattern}, known
		}
	}
	return nil, nil, false
}

// patterns translates the names in a list of types.
func (s *Shape) patterns(value any) any {
	list, isList := value.([]any)
	if !isList {
		return value
	}
	made := make([]any, len(list))
	for i, item := range list {
		made[i] = item
		if name, isName := nameOf(item); isName {
			if pattern := s.types.PatternOf(name); pattern != name {
				made[i] = pattern
			}
		}
	}
	return made
}

// viewOut returns the value of a view; false if there is none.
func (s *Shape) viewOut(f *field, ours map[string]any) (value any, there bool) {
	switch f.ours() {
	case "enabled":
		status, known := ours["status"].(string)
		return status != "paused" && status != "disabled", known
	case "type":
		list, _ := ours["events"].([]any)
		if len(list) != 1 {
			return nil, false
		}
		return s.named(list[0]), true
	case "object.id", "object.resource":
		name, _ := ours["object"].(string)
		key, err := event.ParseKey(name)
		if err != nil {
			return nil, false
		}
		if f.path[1] == "resource" {
			return key.Resource, true
		}
		parts := key.Parts()
		return parts[len(parts)-1], true
	}
	return lastAttempt(f.path[1], ours)
}

// lastAttempt returns something of the last attempt of a delivery.
func lastAttempt(name string, ours map[string]any) (value any, there bool) {
	attempts, _ := ours["attempts"].([]any)
	var last map[string]any
	var highest int64
	for _, item := range attempts {
		attempt, _ := item.(map[string]any)
		number, _ := attempt["number"].(json.Number)
		if n, err := number.Int64(); err == nil && n >= highest {
			last, highest = attempt, n
		}
	}
	switch name {
	case "status", "ms", "body":
		response, _ := last["response"].(map[string]any)
		value, there = response[name]
	default:
		value, there = last[name]
	}
	return value, there
}
