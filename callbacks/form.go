// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// form takes the members out of a body, and notes all that do not fit.
type form struct {
	problems []FieldProblem
}

func (f *form) wrong(pointer, remedy, format string, args ...any) {
	f.problems = append(f.problems, FieldProblem{pointer, fmt.Sprintf(format, args...), remedy})
}

// err returns what was wrong, nil for nothing.
func (f *form) err() error {
	if len(f.problems) == 0 {
		return nil
	}
	return malformed.in(f.problems...)
}

// taker takes a value that stands at a pointer.
type taker func(pointer string, value any)

// members takes an object's members. One that nobody takes is refused: whoever sent it
// believes that it means something.
func (f *form) members(pointer string, value any, takers map[string]taker) {
	object, isObject := value.(map[string]any)
	if !isObject {
		f.wrong(pointer, "send an object", "it is %s", described(value))
		return
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		at := pointer + "/" + escape(name)
		take, known := takers[name]
		switch {
		case known:
			take(at, object[name])
		case readOnly[name] && pointer == "":
			f.wrong(at, "leave it out", "it is not yours to set")
		default:
			f.wrong(at, "leave it out; there are "+strings.Join(slices.Sorted(maps.Keys(takers)), ", "), "there is no such member")
		}
		if len(f.problems) > maxFieldProblems {
			return
		}
	}
}

// readOnly are members of answers that a body cannot set.
var readOnly = map[string]bool{
	"id": true, "secret": true, "secrets": true, "created_at": true, "verification": true, "reason": true, "since": true,
}

// text takes text; null is none.
func (f *form) text(to *string) taker {
	return func(pointer string, value any) {
		switch value := value.(type) {
		case nil:
			*to = ""
		case string:
			*to = value
		default:
			f.wrong(pointer, "send text", "it is %s", described(value))
		}
	}
}

// flag takes true or false; null is false.
func (f *form) flag(to *bool) taker {
	return func(pointer string, value any) {
		switch value := value.(type) {
		case nil:
			*to = false
		case bool:
			*to = value
		default:
			f.wrong(pointer, "send true or false", "it is %s", described(value))
		}
	}
}

// texts takes a list of texts; null is none.
func (f *form) texts(to *[]string) taker {
	return func(pointer string, value any) {
		items, isList := value.([]any)
		if value != nil && !isList {
			f.wrong(pointer, "send a list of texts", "it is %s", described(value))
			return
		}
		*to = make([]string, len(items))
		for i, item := range items {
			f.text(&(*to)[i])(fmt.Sprintf("%s/%d", pointer, i), item)
		}
	}
}

// pairs takes an object of texts; null is none. With merge, it changes what is there
// as RFC 7396 has it.
func (f *form) pairs(to *map[string]string, merge bool) taker {
	return func(pointer string, value any) {
		object, isObject := value.(map[string]any)
		switch {
		case value == nil:
			*to = nil
			return
		case !isObject:
			f.wrong(pointer, "send an object of texts", "it is %s", described(value))
			return
		}
		pairs := make(map[string]string)
		if merge {
			maps.Copy(pairs, *to)
		}
		for name, item := range object {
			if item == nil && merge {
				delete(pairs, name)
				continue
			}
			text, isText := item.(string)
			if !isText {
				f.wrong(pointer+"/"+escape(name), "send text", "it is %s", described(item))
			}
			pairs[name] = text
		}
		*to = pairs
	}
}

// escape writes a member's name for a JSON Pointer. A long one is cut: it comes back in
// an answer.
func escape(name string) string {
	const most = 64
	if len(name) > most {
		name = strings.ToValidUTF8(name[:most], "") + "…"
	}
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}
