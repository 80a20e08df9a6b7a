// SPDX-License-Identifier: Apache-2.0

package when

import (
	"slices"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/jsonpath"
)

// members says which members of an object are needed. Most expressions read a
// few of many, and reading all would cost more than the rest of an evaluation.
type members struct {
	all   bool
	names []string
}

func (m members) none() bool { return !m.all && len(m.names) == 0 }

// parse converts the members that are needed of valid JSON to values of CEL.
func (m members) parse(document []byte) any {
	whole := gjson.ParseBytes(document)
	if m.all || !whole.IsObject() {
		return value(whole)
	}
	return values(whole, func(name string) bool { return slices.Contains(m.names, name) })
}

func value(v gjson.Result) any {
	switch v.Type {
	case gjson.String:
		return v.Str
	case gjson.Number:
		return number(v.Raw)
	case gjson.True, gjson.False:
		return v.Bool()
	case gjson.Null:
	case gjson.JSON:
		if v.IsArray() {
			list := []any{}
			v.ForEach(func(_, element gjson.Result) bool {
				list = append(list, value(element))
				return true
			})
			return list
		}
		return values(v, func(string) bool { return true })
	}
	return nil
}

// values reads an object. If a member is repeated, the first counts, as
// everywhere that paths are read.
func values(of gjson.Result, needed func(name string) bool) map[string]any {
	read := make(map[string]any)
	of.ForEach(func(name, member gjson.Result) bool {
		if _, repeated := read[name.Str]; !repeated && needed(name.Str) {
			read[name.Str] = value(member)
		}
		return true
	})
	return read
}

// number reads a number without losing a digit of a whole one: as an integer,
// or as its text if it has more than 64 bits.
func number(text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n
	}
	whole := true
	for i := range len(text) {
		whole = whole && (text[i] >= '0' && text[i] <= '9' || text[i] == '-')
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil && !whole {
		return n
	}
	return text
}

// previously gives watched fields the shape of the Show that they were taken
// from: the value of "a.b" is found at previous.a.b, and at previous['a.b'].
func previously(fields event.Fields, paths []string) map[string]any {
	members := make(map[string]any, len(paths))
	for _, path := range paths { // in order, so that "a" comes before "a.b"
		raw := fields[path]
		if len(raw) == 0 || !gjson.ValidBytes(raw) {
			continue
		}
		plain := value(gjson.ParseBytes(raw))
		steps, err := jsonpath.Parse(path)
		if err == nil && !slices.ContainsFunc(steps, func(s jsonpath.Step) bool { return s.Kind != jsonpath.Name }) {
			put(members, steps, plain)
		}
		if len(steps) != 1 || steps[0].Name != path {
			members[path] = plain
		}
	}
	return members
}

// put puts a value at a path. If a value stands on the way already, it contains
// this one, since both were taken from one Show.
func put(members map[string]any, steps []jsonpath.Step, plain any) {
	for i, step := range steps {
		if i == len(steps)-1 {
			members[step.Name] = plain
			return
		}
		next, ok := members[step.Name].(map[string]any)
		if !ok {
			if _, taken := members[step.Name]; taken {
				return
			}
			next = make(map[string]any)
			members[step.Name] = next
		}
		members = next
	}
}

// Members converts members of an object in valid JSON to a value of CEL. Of what is no
// object, and with no names, it converts everything.
func Members(document []byte, names []string) any {
	return members{all: len(names) == 0, names: names}.parse(document)
}
