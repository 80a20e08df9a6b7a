// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// maxBody limits a request's body, in bytes.
	maxBody = 48 << 10
	// maxDepth limits how deep a body's values lie in each other.
	maxDepth = 16
)

// Types of bodies.
const (
	typeJSON  = "application/json"
	typeMerge = "application/merge-patch+json"
	typeForm  = "application/x-www-form-urlencoded"
)

// document is a request's body: an object, with numbers as [json.Number].
type document struct {
	text    []byte
	members map[string]any
}

// body reads a request's body, which is JSON. An empty one is an empty object where it
// may be left out.
func body(w http.ResponseWriter, r *http.Request, needed bool, types ...string) (document, error) {
	text, _, err := read(w, r, needed, types...)
	if err != nil {
		return document{}, err
	}
	return documentOf(text)
}

// read reads a request's body, and its type, which is one of those that are read. The
// text is empty where it may be left out.
func read(w http.ResponseWriter, r *http.Request, needed bool, types ...string) (text []byte, given string, err error) {
	text, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, "", tooLarge.problem("the body has more than %d bytes", maxBody)
	case err != nil:
		return nil, "", malformed.problem("the body broke off")
	case len(text) == 0 && !needed:
		return nil, "", nil
	case len(text) == 0:
		return nil, "", malformed.problem("there is no body; send a JSON object")
	}
	given, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(parameters["charset"])
	if err != nil || !slices.Contains(types, given) || charset != "" && charset != "utf-8" {
		p := mediaType.problem("send Content-Type: %s", strings.Join(types, " or "))
		accept := "Accept-Post"
		if r.Method == http.MethodPatch {
			accept = "Accept-Patch"
		}
		w.Header().Set(accept, strings.Join(types, ", "))
		return nil, "", p
	}
	return text, given, nil
}

// documentOf reads a JSON object; no text is an empty one.
func documentOf(text []byte) (document, error) {
	if len(text) == 0 {
		return document{members: map[string]any{}}, nil
	}
	value, err := parse(text)
	if err != nil {
		return document{}, malformed.problem("the body is not JSON that can be read: %v", err)
	}
	members, isObject := value.(map[string]any)
	if !isObject {
		return document{}, malformed.in(FieldProblem{"", "it is " + described(value), "send an object"})
	}
	return document{text, members}, nil
}

// Errors of bodies. The decoder's own texts are not passed on: they quote the body,
// which may hold a credential.
var (
	errNotUTF8 = errors.New("it is not UTF-8")
	errSyntax  = errors.New("its syntax is wrong")
	errDeep    = fmt.Errorf("its values lie more than %d deep in each other", maxDepth)
	errMore    = errors.New("something follows it")
)

// parse reads one JSON value. A member that stands twice is refused: who reads the
// first would be told something else than who reads the last.
func parse(text []byte) (any, error) {
	if !utf8.Valid(text) {
		return nil, errNotUTF8
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	value, err := parseValue(decoder, 0)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errMore
	}
	return value, nil
}

func parseValue(decoder *json.Decoder, depth int) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, errSyntax
	}
	opening, opens := token.(json.Delim)
	switch {
	case !opens:
		return token, nil
	case depth == maxDepth:
		return nil, errDeep
	case opening == '[':
		items := []any{}
		for decoder.More() {
			item, err := parseValue(decoder, depth+1)
			if err != nil {
				return nil, err
			}
			items = append(items, item)
		}
		return items, closed(decoder)
	case opening == '{':
		members := map[string]any{}
		for decoder.More() {
			name, err := decoder.Token()
			text, isText := name.(string)
			if err != nil || !isText {
				return nil, errSyntax
			}
			if _, twice := members[text]; twice {
				return nil, errors.New("a member stands twice")
			}
			if members[text], err = parseValue(decoder, depth+1); err != nil {
				return nil, err
			}
		}
		return members, closed(decoder)
	}
	return nil, errSyntax
}

// closed takes the end of an array or object.
func closed(decoder *json.Decoder) error {
	if _, err := decoder.Token(); err != nil {
		return errSyntax
	}
	return nil
}

// described says what a value is.
func described(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "true or false"
	case string:
		return "text"
	case json.Number:
		return "a number"
	case []any:
		return "a list"
	}
	return "an object"
}
