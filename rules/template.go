// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// Template is a request to the API with placeholders, as `show` and `list` have
// it. Build makes a request of it once the values of the placeholders are known.
type Template struct {
	// Names are the placeholders, each once, in the order of Host, path, query,
	// header and body.
	Names []string

	text   string
	method string
	path   pattern
	// pathAt is the index in Names of the first placeholder of the path.
	pathAt int
	query  []piece
	header map[string][]piece
	body   []piece
	// format says how values are written into the body.
	format bodyFormat
	// callerIDs are the values, in lower case, that stand for the caller and may not
	// stand in the path, or, with anywhere, at all.
	callerIDs map[string]bool
	anywhere  bool
	// whole is true for [syntax.LocationPath]: one value is the whole target.
	whole bool
}

// piece is a text, or a placeholder if name is set.
type piece struct {
	text string
	name string
	// quoted is true for a placeholder within a JSON string.
	quoted bool
	// bare is true for one of JSON that stands in no string, and takes numbers.
	bare bool
	// word is true for a placeholder that takes only words.
	word bool
}

// bodyFormat is how a body is written.
type bodyFormat int

const (
	formatJSON bodyFormat = iota
	formatXML
	formatForm
)

func compileTemplate(r syntax.Request) (Template, error) {
	t := Template{text: r.String(), method: r.Method, header: make(map[string][]piece)}
	if t.method == "" {
		t.method = http.MethodGet
	}
	if err := checkMethods([]string{t.method}); err != nil {
		return t, err
	}
	if r.Path == syntax.LocationPath {
		t.whole = true
		t.Names = []string{locationValue}
		err := t.compileRest(r)
		return t, err
	}
	path, query, _ := strings.Cut(r.Path, "?")
	var err error
	if t.path, err = parseBraced(path); err != nil {
		return t, err
	}
	if t.path.tail || t.path.expression != "" {
		return t, errors.New("a path is built from this pattern, so it may hold only text and names, as /items/:id.json or /files/:path*")
	}
	t.Names = hostNames(r, t.path.names)
	t.pathAt = len(t.Names)
	t.Names = append(t.Names, t.path.names...)
	t.query = t.pieces(query, false)
	if err := restrict(t.query, quotingPairs); err != nil {
		return t, err
	}
	err = t.compileRest(r)
	return t, err
}

// compileRest compiles header and body.
func (t *Template) compileRest(r syntax.Request) error {
	fields := make([]string, 0, len(r.Header))
	for field := range r.Header {
		fields = append(fields, field)
	}
	slices.Sort(fields)
	for _, field := range fields {
		if err := checkSent(field); err != nil {
			return err
		}
		pieces := t.pieces(r.Header[field], false)
		if err := restrict(pieces, quotingHeader); err != nil {
			return fmt.Errorf("header %s: %w", field, err)
		}
		t.header[http.CanonicalHeaderKey(field)] = pieces
	}
	contentType := r.Header["Content-Type"]
	trimmed := strings.TrimSpace(r.Body)
	switch {
	case strings.Contains(contentType, "xml"), contentType == "" && strings.HasPrefix(trimmed, "<"):
		t.format = formatXML
	case strings.Contains(contentType, "x-www-form-urlencoded"),
		contentType == "" && !strings.HasPrefix(trimmed, "{") && !strings.HasPrefix(trimmed, "["):
		t.format = formatForm
	}
	t.body = t.pieces(r.Body, t.format == formatJSON)
	if err := restrict(t.body, [...]quoting{formatJSON: quotingJSON, formatXML: quotingXML, formatForm: quotingPairs}[t.format]); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	if r.Body != "" && contentType == "" {
		t.header["Content-Type"] = []piece{{text: [...]string{
			formatJSON: "application/json", formatXML: "text/xml; charset=utf-8", formatForm: "application/x-www-form-urlencoded",
		}[t.format]}}
	}
	if r.Body != "" && t.format == formatJSON {
		if _, err := t.fillBody(make([]string, len(t.Names)), true); err != nil {
			return err
		}
	}
	return nil
}

// pieces splits a text at its placeholders, and adds them to Names: a name, or a
// value as in `request:a.b`, in braces without spaces, perhaps after "word:". "\{" is a
// brace.
func (t *Template) pieces(text string, isJSON bool) []piece {
	var pieces []piece
	var literal strings.Builder
	quoted := false
	for i := 0; i < len(text); i++ {
		if isJSON && text[i] == '\\' && quoted && i+1 < len(text) && text[i+1] != '{' {
			literal.WriteString(text[i : i+2])
			i++
			continue
		}
		if text[i] == '\\' && i+1 < len(text) && text[i+1] == '{' {
			literal.WriteByte('{')
			i++
			continue
		}
		if text[i] == '"' {
			quoted = !quoted
		}
		end := strings.IndexByte(text[i:], '}')
		if text[i] != '{' || end < 0 || !isPlaceholder(text[i+1:i+end]) {
			literal.WriteByte(text[i])
			continue
		}
		name, word := strings.CutPrefix(text[i+1:i+end], wordPrefix)
		name = strings.TrimPrefix(name, ":")
		pieces = append(pieces, piece{text: literal.String()}, piece{name: name, quoted: quoted, bare: isJSON && !quoted, word: word})
		literal.Reset()
		if !slices.Contains(t.Names, name) {
			t.Names = append(t.Names, name)
		}
		i += end
	}
	if literal.Len() > 0 {
		pieces = append(pieces, piece{text: literal.String()})
	}
	return pieces
}

// isPlaceholder reports whether a text in braces is a placeholder.
func isPlaceholder(s string) bool {
	others := ":.#"
	if strings.HasPrefix(s, "request:") || strings.HasPrefix(s, "query:") {
		others = `:.#@$\*` // names of APIs
	}
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !syntax.IsNameRune(r) && !strings.ContainsRune(others, r)
	})
}

// isPath reports whether the request is a GET of a path and nothing else.
func (t *Template) isPath() bool {
	return t.method == http.MethodGet && len(t.query)+len(t.header)+len(t.body) == 0
}

// ofPath returns the values that stand in the path.
func (t *Template) ofPath(values []string) []string {
	return values[t.pathAt : t.pathAt+len(t.path.names)]
}

// Build returns the request with values in place of the placeholders. Values are
// in the order of Names.
func (t *Template) Build(values []string) (show.Request, error) {
	built := show.Request{Method: t.method}
	if err := t.Check(values); err != nil {
		return built, err
	}
	if t.whole {
		if !strings.HasPrefix(values[0], "/") || strings.HasPrefix(values[0], "//") {
			return built, errors.New("the Location is no path of the API")
		}
		built.Path = values[0]
	} else {
		path, err := t.path.build(t.ofPath(values))
		if err != nil {
			return built, err
		}
		built.Path = path
	}
	if len(t.query) > 0 {
		built.Path += "?" + t.fill(t.query, values, url.QueryEscape)
	}
	for field, pieces := range t.header {
		text := t.fill(pieces, values, func(s string) string { return s })
		if strings.ContainsAny(text, "\r\n\x00") {
			return built, fmt.Errorf("the value for header %s has a line break", field)
		}
		if built.Header == nil {
			built.Header = make(http.Header)
		}
		built.Header.Set(field, text)
	}
	if len(t.body) > 0 {
		var err error
		if built.Body, err = t.fillBody(values, false); err != nil {
			return built, err
		}
	}
	return built, nil
}

// ErrCallerID is returned for an id that stands for whoever sends the request.
var ErrCallerID = errors.New("the id stands for the caller, so only an answer to the caller tells which object it is; see `caller_ids`")

// Check refuses values of which no request can be made that means nothing else.
func (t *Template) Check(values []string) error {
	if len(values) != len(t.Names) {
		return fmt.Errorf("the key has %d parts and %s takes %d", len(values), t.text, len(t.Names))
	}
	for i, value := range values {
		if (t.anywhere || i >= t.pathAt && i < t.pathAt+len(t.path.names)) && t.callerIDs[strings.ToLower(value)] {
			return fmt.Errorf("%q: %w", value, ErrCallerID)
		}
	}
	if !t.whole {
		if err := t.path.checkParts(t.ofPath(values)); err != nil {
			return err
		}
	}
	if err := t.checkPieces(t.query, values); err != nil {
		return err
	}
	for _, pieces := range t.header {
		if err := t.checkPieces(pieces, values); err != nil {
			return err
		}
	}
	return t.checkPieces(t.body, values)
}

func (t *Template) checkPieces(pieces []piece, values []string) error {
	for _, p := range pieces {
		if p.name == "" {
			continue
		}
		value := values[slices.Index(t.Names, p.name)]
		switch {
		case p.word && !isWord(value):
			return fmt.Errorf("%q is no word, and its place in %s takes only letters, digits, '-', '_' and '.'", value, t.text)
		case p.bare && !isNumber(value):
			// Outside quotes a stranger's id could add members of its own.
			return fmt.Errorf("%q is no number, and its place in the body has no quotes around it", value)
		}
	}
	return nil
}

// isNumber reports whether a text is a number of JSON.
func isNumber(text string) bool {
	return json.Unmarshal([]byte(text), new(json.Number)) == nil && !strings.HasPrefix(text, `"`) && strings.TrimSpace(text) == text && text != "null"
}

// fill returns a text with escaped values in place of its placeholders.
func (t *Template) fill(pieces []piece, values []string, escape func(string) string) string {
	var text strings.Builder
	for _, p := range pieces {
		if p.name == "" {
			text.WriteString(p.text)
			continue
		}
		text.WriteString(escape(values[slices.Index(t.Names, p.name)]))
	}
	return text.String()
}

var errBadBody = errors.New("the body is no JSON; a value that is text stands in quotes, as \"{id}\"")

// fillBody returns the body with values in place of its placeholders. With
// sample, stand-ins take the place of values, to check whether the body is
// well-formed.
func (t *Template) fillBody(values []string, sample bool) ([]byte, error) {
	switch t.format {
	case formatXML:
		return []byte(t.fill(t.body, values, escapeXML)), nil
	case formatForm:
		return []byte(t.fill(t.body, values, url.QueryEscape)), nil
	case formatJSON:
	}
	var text bytes.Buffer
	for _, p := range t.body {
		switch {
		case p.name == "":
			text.WriteString(p.text)
		case sample:
			text.WriteByte('1')
		case p.quoted:
			quoted, err := json.Marshal(values[slices.Index(t.Names, p.name)])
			if err != nil {
				return nil, err
			}
			text.Write(quoted[1 : len(quoted)-1])
		default:
			text.WriteString(values[slices.Index(t.Names, p.name)])
		}
	}
	if !json.Valid(text.Bytes()) {
		return nil, errBadBody
	}
	return text.Bytes(), nil
}

func escapeXML(s string) string {
	var escaped bytes.Buffer
	// Writing into a buffer does not fail.
	_ = xml.EscapeText(&escaped, []byte(s))
	return escaped.String()
}
