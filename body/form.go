// SPDX-License-Identifier: Apache-2.0

package body

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/url"
	"strings"
)

// Limits of a form.
const (
	maxFields = 10_000
	// maxBrackets limits how deep a name's brackets nest.
	maxBrackets = 32
)

// form reads application/x-www-form-urlencoded. A pair that is not well-formed
// is left out, as servers do.
func form(plain []byte) ([]byte, error) {
	var root fields
	count := 0
	for pair := range strings.SplitSeq(string(plain), "&") {
		if pair == "" {
			continue
		}
		if count++; count > maxFields {
			return nil, fmt.Errorf("%w: the form has more than %d fields", ErrTooLarge, maxFields)
		}
		name, value, _ := strings.Cut(pair, "=")
		name, nameErr := url.QueryUnescape(strings.TrimRight(name, "\r\n"))
		value, valueErr := url.QueryUnescape(strings.TrimRight(value, "\r\n"))
		if nameErr == nil && valueErr == nil && name != "" {
			root.set(name, appendString(nil, value))
		}
	}
	return root.finish()
}

// multipartForm reads multipart/form-data. Files are left out; a field whose
// Content-Type is JSON keeps its structure.
func multipartForm(plain []byte, boundary string) ([]byte, error) {
	if boundary == "" {
		return nil, fmt.Errorf("%w: multipart without a boundary", ErrNoStructure)
	}
	var root fields
	reader := multipart.NewReader(bytes.NewReader(plain), boundary)
	for count := 0; ; count++ {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return root.finish()
		}
		if err != nil {
			return nil, fmt.Errorf("%w: malformed multipart", ErrNoStructure)
		}
		if count == maxFields {
			return nil, fmt.Errorf("%w: the form has more than %d fields", ErrTooLarge, maxFields)
		}
		if part.FormName() == "" || part.FileName() != "" {
			continue
		}
		value, err := readAll(part)
		if err != nil {
			return nil, fmt.Errorf("%w: malformed multipart", ErrNoStructure)
		}
		if media, _ := mediaType(part.Header.Get("Content-Type")); isJSON(media) && json.Valid(value) {
			root.set(part.FormName(), bytes.TrimSpace(value))
		} else {
			root.set(part.FormName(), appendString(nil, string(value)))
		}
	}
}

// fields is an object under construction, in the order in which its members
// were first named.
type fields struct {
	names  []string
	values map[string]*field
}

// field is the value of a name: an object, or one or more values as JSON.
type field struct {
	object *fields
	values [][]byte
	array  bool
}

func (f *fields) at(name string) *field {
	if f.values == nil {
		f.values = make(map[string]*field)
	}
	if f.values[name] == nil {
		f.values[name] = new(field)
		f.names = append(f.names, name)
	}
	return f.values[name]
}

// set puts a value where the field's name says.
func (f *fields) set(name string, value []byte) {
	path, array := bracketed(name)
	if !f.free(path) {
		path, array = []string{name}, false
		if !f.free(path) {
			// The field has the name of an object that earlier fields began. No
			// path could lead to it beside that object.
			return
		}
	}
	at := f.at(path[0])
	for _, step := range path[1:] {
		if at.object == nil {
			at.object = new(fields)
		}
		at = at.object.at(step)
	}
	at.values = append(at.values, value)
	at.array = at.array || array
}

// free reports whether a value can stand at a path: the path leads through no
// value, and does not end at an object.
func (f *fields) free(path []string) bool {
	for i, step := range path {
		at := f.values[step]
		last := i == len(path)-1
		switch {
		case at == nil:
			return true
		case last:
			return at.object == nil
		case at.object == nil:
			return false
		}
		f = at.object
	}
	return true
}

// bracketed splits "a[b][c]" into a, b and c, and reports whether "[]" follows.
// Any other name is one step by itself.
func bracketed(name string) (path []string, array bool) {
	whole := []string{name}
	begin, rest, found := strings.Cut(name, "[")
	if !found || begin == "" || !strings.HasSuffix(rest, "]") {
		return whole, false
	}
	steps := strings.Split(strings.TrimSuffix(rest, "]"), "][")
	if len(steps) > maxBrackets {
		return whole, false
	}
	if steps[len(steps)-1] == "" {
		array = true
		steps = steps[:len(steps)-1]
	}
	for _, step := range steps {
		if step == "" || strings.ContainsAny(step, "[]") {
			return whole, false
		}
	}
	return append([]string{begin}, steps...), array
}

func (f *fields) finish() ([]byte, error) {
	if len(f.names) == 0 {
		return nil, fmt.Errorf("%w: the form has no fields", ErrNoStructure)
	}
	out, err := f.append(nil)
	if err != nil {
		return nil, err
	}
	return checked(out)
}

func (f *fields) append(out []byte) ([]byte, error) {
	out = append(out, '{')
	for i, name := range f.names {
		if len(out) > MaxSize {
			return nil, ErrTooLarge
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendString(out, name), ':')
		var err error
		if out, err = f.values[name].append(out); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

func (f *field) append(out []byte) ([]byte, error) {
	if f.object != nil {
		return f.object.append(out)
	}
	return appendOneOrMany(out, f.values, f.array), nil
}
