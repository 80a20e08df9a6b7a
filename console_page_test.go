// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// consoleStep is one thing that a page does: a command in a fenced block of `console`,
// with the answer that the page shows, or a line that readers do not see and that says
// what happens meanwhile: `<!-- meanwhile: put /items/42 {} -->`.
type consoleStep struct {
	line      int
	command   string
	shown     []string
	meanwhile string
}

// meanwhileLine is what happens between the commands of a page.
var meanwhileLine = regexp.MustCompile(`^<!-- meanwhile: (.*) -->$`)

// consoleSteps reads the steps of a page.
func consoleSteps(page string) ([]consoleStep, error) {
	var steps []consoleStep
	kind := ""
	continues := false
	for i, line := range strings.Split(page, "\n") {
		command, begins := strings.CutPrefix(line, "$ ")
		happens := meanwhileLine.FindStringSubmatch(line)
		switch {
		case kind == "" && strings.HasPrefix(line, "```"):
			kind = strings.TrimPrefix(line, "```") + " "
		case kind == "" && happens != nil:
			steps = append(steps, consoleStep{line: i + 1, meanwhile: happens[1]})
		case line == "```":
			kind = ""
		case kind != "console ":
			if strings.Contains(line, "curl ") && kind != "" {
				return nil, fmt.Errorf("line %d: a request outside of a console block is not run", i+1)
			}
		case continues:
			last := &steps[len(steps)-1]
			last.command += "\n" + line
			continues = goesOn(last.command)
		case begins:
			continues = goesOn(command)
			steps = append(steps, consoleStep{line: i + 1, command: command})
		case len(steps) == 0 || steps[len(steps)-1].command == "":
			return nil, fmt.Errorf("line %d: an answer without a command", i+1)
		default:
			last := &steps[len(steps)-1]
			last.shown = append(last.shown, line)
		}
	}
	return steps, nil
}

// goesOn reports whether a command goes on in the next line: a single quote is open.
func goesOn(command string) bool { return strings.Count(command, "'")%2 == 1 }

// shellWords splits a command as a shell does, as far as pages need it: quotes, and
// variables outside of single ones. A variable that is not set is an error.
func shellWords(command string, variables map[string]string) ([]string, error) {
	var words []string
	var word strings.Builder
	quote, inWord := byte(0), false
	for i := 0; i < len(command); i++ {
		c := command[i]
		switch {
		case quote == 0 && c == ' ':
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
			continue
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case c == quote:
			quote = 0
		case c == '$' && quote != '\'':
			name := variableName.FindString(command[i+1:])
			value, set := variables[name]
			if !set {
				return nil, fmt.Errorf("$%s is not set", name)
			}
			word.WriteString(value)
			i += len(name)
		case c == '\\' || quote == 0 && strings.IndexByte("|&;<>()*?[]{}`#~", c) >= 0:
			return nil, fmt.Errorf("%q has to stand in quotes", c)
		default:
			word.WriteByte(c)
		}
		inWord = true
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote does not end")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

var (
	variableName = regexp.MustCompile(`^[A-Z]+`)
	assignment   = regexp.MustCompile(`^([A-Z]+)=(.*)$`)
)

// curlRequest is a request that a line of curl makes.
type curlRequest struct {
	method, url, body string
	headers           [][2]string
	// head is true if the answer is shown with its status and headers.
	head bool
}

// curlOf reads the few options of curl that pages use.
func curlOf(words []string) (curlRequest, error) {
	var r curlRequest
	for i := 1; i < len(words); i++ {
		word := words[i]
		if !strings.HasPrefix(word, "-") {
			if r.url != "" {
				return r, fmt.Errorf("two URLs: %s and %s", r.url, word)
			}
			r.url = word
			continue
		}
		if word == "-i" || word == "-N" {
			r.head = r.head || word == "-i"
			continue
		}
		if i++; i == len(words) {
			return r, fmt.Errorf("%s has no value", word)
		}
		switch word {
		case "-X":
			r.method = words[i]
		case "-H":
			name, value, found := strings.Cut(words[i], ": ")
			if !found {
				return r, fmt.Errorf("%q is no header", words[i])
			}
			r.headers = append(r.headers, [2]string{name, value})
		case "--json":
			r.body = words[i]
			r.headers = slices.Insert(r.headers, 0, [2]string{"Content-Type", "application/json"}, [2]string{"Accept", "application/json"})
		default:
			return r, fmt.Errorf("%s is no option that pages use", word)
		}
	}
	switch {
	case r.url == "":
		return r, fmt.Errorf("no URL")
	case r.method == "" && r.body != "":
		r.method = "POST"
	case r.method == "":
		r.method = "GET"
	}
	return r, nil
}

// shownJSON reads an answer as a page shows it: a `…` in place of a value stands for any
// value, one among members or items for all that follow, and one in a text for any text.
func shownJSON(text string) (any, error) {
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

// shownMatch compares answers with what a page shows, and notes what stands for what.
type shownMatch struct {
	// found are the texts of the answer, by what the page shows in their place.
	found map[string][]string
	// wrong is what does not match.
	wrong []string
}

func (m *shownMatch) fail(at, format string, args ...any) {
	m.wrong = append(m.wrong, at+": "+fmt.Sprintf(format, args...))
}

// text compares a text.
func (m *shownMatch) text(at, shown, got string) {
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
func (m *shownMatch) value(at string, shown, got any) {
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

func (m *shownMatch) members(at string, shown, got map[string]any) {
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

// What does not match what a page shows is seen.
func TestShownAnswers(t *testing.T) {
	for _, test := range []struct {
		shown, got string
		matches    bool
	}{
		{`{"id":"ep_…","n":1}`, `{"id":"ep_abc","n":1}`, true},
		{`{"id":"ep_…"}`, `{"id":"key_abc"}`, false},
		{`{"id":"ep_…"}`, `{"id":"ep_abc","more":1}`, false},
		{`{"id":"ep_…", …}`, `{"id":"ep_abc","more":1}`, true},
		{`{"id": …, "more": 2}`, `{"id":{"a":1},"more":1}`, false},
		{`{"id": …, "more": {…}}`, `{"id":{"a":1},"more":{"b":1}}`, true},
		{`{"id": …, …}`, `{"more":1}`, false},
		{`{"a":[1, …]}`, `{"a":[1,2,3]}`, true},
		{`{"a":[1, …]}`, `{"a":[2,1]}`, false},
		{`{"a":[1]}`, `{"a":[1,2]}`, false},
		{`{"a":[]}`, `{"a":[]}`, true},
		{`{"a":"say \"…\" {"}`, `{"a":"say \"x\" {"}`, true},
		{`{"a":null}`, `{"a":false}`, false},
		{`{"a":"1"}`, `{"a":1}`, false},
	} {
		shown, err := shownJSON(test.shown)
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := json.Unmarshal([]byte(test.got), &got); err != nil {
			t.Fatal(err)
		}
		var m shownMatch
		if m.value("", shown, got); (len(m.wrong) == 0) != test.matches {
			t.Errorf("%s for %s: %v", test.shown, test.got, m.wrong)
		}
	}
}

// Commands are read as a shell and curl read them, and what is beyond that is refused.
func TestConsoleCommands(t *testing.T) {
	variables := map[string]string{"API": "https://x", "AUTH": "Authorization: Bearer k y"}
	words, err := shellWords(`curl -i -X PATCH "$API/a?b=c&d" -H "$AUTH" --json '{"a":"$API"}'`, variables)
	if err != nil {
		t.Fatal(err)
	}
	r, err := curlOf(words)
	if err != nil || r.method != "PATCH" || r.url != "https://x/a?b=c&d" || r.body != `{"a":"$API"}` || !r.head || r.headers[2][1] != "Bearer k y" {
		t.Errorf("got %+v, %v", r, err)
	}
	for _, command := range []string{`curl $NOBODY`, `curl $API/a?b=c`, `curl $API | jq`, `curl "$API`, `curl $API/{id}`} {
		if words, err := shellWords(command, variables); err == nil {
			t.Errorf("%s: %q", command, words)
		}
	}
	for _, command := range []string{`curl`, `curl a b`, `curl a -o b`, `curl a -H b`, `curl a -X`} {
		if r, err := curlOf(strings.Fields(command)); err == nil {
			t.Errorf("%s: %+v", command, r)
		}
	}
}
