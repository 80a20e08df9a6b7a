// SPDX-License-Identifier: Apache-2.0

package payload

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// whole is the path of the whole Show.
const whole = "."

// data is what an envelope has in the place of the Show: an object of the Show or its
// fields. A dot in a name goes one level down.
func (f Format) data(e *event.Event) []byte {
	values := f.values(e)
	members := make([]dataMember, len(f.config.Data))
	for i, field := range f.config.Data {
		members[i].name = strings.Split(field.Name, ".")
		if field.Path == whole {
			members[i].value = wholeOf(e.Payload)
		} else {
			members[i].value = values.of(field.Path)
		}
	}
	return dataObject(members, 0)
}

type dataMember struct {
	name  []string
	value []byte
}

// dataObject writes an object of members whose names are the same above its level.
// Those that go into one of its members come together; the check has kept them apart
// from values.
func dataObject(members []dataMember, level int) []byte {
	var o object
	for len(members) > 0 {
		first := members[0].name
		if len(first) == level+1 {
			o.raw(first[level], orNull(members[0].value))
			members = members[1:]
			continue
		}
		var inner, others []dataMember
		for _, m := range members {
			if m.name[level] == first[level] {
				inner = append(inner, m)
			} else {
				others = append(others, m)
			}
		}
		o.raw(first[level], dataObject(inner, level+1))
		members = others
	}
	return o.end()
}

// wholeOf returns a Show as JSON, nil for none.
func wholeOf(show []byte) []byte {
	trimmed := bytes.TrimSpace(show)
	switch {
	case len(trimmed) == 0:
		return nil
	case json.Valid(trimmed):
		return trimmed
	default:
		var o object
		o.embed("show", show)
		return o.end()
	}
}

// checkData refuses names that stand twice, or inside of one that is a value.
func (f *Format) checkData(fail func(string, ...any) error) error {
	if len(f.config.Data) > MaxFields {
		return fail("its data has %d members; at most %d are possible", len(f.config.Data), MaxFields)
	}
	wholes := 0
	var names []string
	for _, field := range f.config.Data {
		parts := strings.Split(field.Name, ".")
		switch {
		case len(field.Name) > maxName || slices.Contains(parts, ""):
			return fail("data: %q is no name of at most %d bytes, as merchant.key", field.Name, maxName)
		case field.Path == whole:
			wholes++
		case !isPath(field.Path):
			return fail("data: %s=%s: write `.` for the whole Show, or what a field of `payload fields` takes", field.Name, field.Path)
		}
		for _, other := range names {
			if other == field.Name || strings.HasPrefix(other, field.Name+".") || strings.HasPrefix(field.Name, other+".") {
				return fail("data: %s and %s cannot both be there", other, field.Name)
			}
		}
		names = append(names, field.Name)
	}
	if wholes > 1 {
		return fail("data: the whole Show stands twice; keep one")
	}
	return nil
}
