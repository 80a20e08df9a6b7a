// SPDX-License-Identifier: Apache-2.0

package console

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// JSON reads an answer as a page shows it: a `…` in place of a value stands for any
// value, one among members or items for all that follow, and one in a text for any text.
func JSON(text string) (any, error) {
	var out strings.Builder
	var open []rune
	inText, escaped, last := false, false, ' '
	for _, c := range text {
		switch {
		case inText:
			inText = escaped || c != '"'
			escaped = c == '\\' && !escaped
		case c == '…' && last != ':' && len(open) > 0 && open[len(open)-1] == '{':
			out.WriteString(`"…":"…"`)
			last = c
			continue
		case c == '…':
			out.WriteString(`"…"`)
			last = c
			continue
		case c == '{' || c == '[':
			open = append(open, c)
		case (c == '}' || c == ']') && len(open) > 0:
			open = open[:len(open)-1]
		default:
			inText = c == '"'
		}
		if c != ' ' && c != '\n' {
			last = c
		}
		out.WriteRune(c)
	}
	var value any
	if err := json.Unmarshal([]byte(out.String()), &value); err != nil {
		return nil, fmt.Errorf("the answer that the page shows is no JSON: %w: %s", err, text)
	}
	return value, nil
}

// Match compares answers with what a page shows, and notes what stands for what.
type Match struct {
	// found are the texts of the answer, by what the page shows in their place.
	found map[string][]string
	// wrong is what does not match.
	wrong []string
}

func (m *Match) fail(at, format string, args ...any) {
	m.wrong = append(m.wrong, at+": "+fmt.Sprintf(format, args...))
}

// text compares a text.
func (m *Match) text(at, shown, got string) {
	if m.found == nil {
		m.found = make(map[string][]string)
	}
	m.found[shown] = append(m.found[shown], got)
	pattern := "(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(shown), "…", ".*") + "$"
	if !regexp.MustCompile(pattern).MatchString(got) {
		m.fail(at, "%q, and the page shows %q", got, shown)
	}
}

// value compares a value of JSON. What the page does not show has to be marked as left
// out.
func (m *Match) value(at string, shown, got any) {
	switch shown := shown.(type) {
	case string:
		text, isText := got.(string)
		switch {
		case isText:
			m.text(at, shown, text)
		case shown != "…":
			m.fail(at, "%v, and the page shows %q", got, shown)
		}
	case map[string]any:
		object, isObject := got.(map[string]any)
		if !isObject {
			m.fail(at, "%v is no object", got)
			return
		}
		m.members(at, shown, object)
	case []any:
		items, isList := got.([]any)
		if !isList {
			m.fail(at, "%v is no list", got)
			return
		}
		open := len(shown) > 0 && shown[len(shown)-1] == "…"
		if open {
			shown = shown[:len(shown)-1]
		}
		if len(items) < len(shown) || !open && len(items) != len(shown) {
			m.fail(at, "%d items, and the page shows %d", len(items), len(shown))
			return
		}
		for i := range shown {
			m.value(fmt.Sprintf("%s/%d", at, i), shown[i], items[i])
		}
	default:
		if shown != got {
			m.fail(at, "%v, and the page shows %v", got, shown)
		}
	}
}

func (m *Match) members(at string, shown, got map[string]any) {
	for name, value := range shown {
		member, has := got[name]
		switch {
		case name == "…":
		case !has:
			m.fail(at, "it has no %s", name)
		default:
			m.value(at+"/"+name, value, member)
		}
	}
	if _, open := shown["…"]; open {
		return
	}
	for name := range got {
		if _, told := shown[name]; !told {
			m.fail(at, "the page leaves out %s without a …", name)
		}
	}
}
