// SPDX-License-Identifier: Apache-2.0

package body

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"strings"
)

// Limits of a form.
const (
	maxFields = 10_000
	// maxBrackets limits how deep a name's brackets nest.
	maxBrackets = 32
	// maxSteps limits the steps of all names together, beside the form's length:
	// each costs more memory than its text.
	maxSteps = 1 << 15
)

// form reads application/x-www-form-urlencoded. Escapes that are not well-formed
// stay as they are, as most servers have it.
func form(plain []byte) (document Document, odd, err error) {
	root := newFields(len(plain))
	count := 0
	for pair := range strings.SplitSeq(string(plain), "&") {
		if pair == "" {
			continue
		}
		if count++; count > maxFields {
			return document, nil, fmt.Errorf("%w: the form has more than %d fields", ErrTooLarge, maxFields)
		}
		if _, after, found := strings.Cut(pair, ";"); found && strings.Contains(after, "=") {
			// Some servers take ";" for "&".
			odd = errMixedForm
		}
		if strings.ContainsAny(pair, "\r\n") {
			// Whoever writes a form into a file ends it with a line. Some servers
			// cut its end off, and to others it is part of the value.
			odd = errMixedForm
		}
		name, value, _ := strings.Cut(pair, "=")
		if name = unescapeField(name); name != "" {
			if err := root.set(name, appendString(nil, unescapeField(value))); err != nil {
				return document, nil, err
			}
		}
	}
	return root.finish(odd)
}

// unescapeField decodes the name or the value of a form's field.
func unescapeField(text string) string {
	text = strings.TrimRight(text, "\r\n")
	if !strings.ContainsAny(text, "%+") {
		return text
	}
	plain := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '+':
			plain = append(plain, ' ')
		case text[i] == '%' && i+2 < len(text) && hexDigit(text[i+1]) >= 0 && hexDigit(text[i+2]) >= 0:
			plain = append(plain, byte(hexDigit(text[i+1])<<4|hexDigit(text[i+2])))
			i += 2
		default:
			plain = append(plain, text[i])
		}
	}
	return string(plain)
}

// hexDigit returns the value of a hexadecimal digit, or -1.
func hexDigit(c byte) int {
	return strings.IndexByte("0123456789abcdef", c|(c&0x40)>>1)
}

// multipartForm reads multipart/form-data. Files are left out; a field whose
// Content-Type is JSON keeps its structure.
func multipartForm(plain []byte, boundary string) (document Document, odd, err error) {
	if boundary == "" {
		return document, nil, fmt.Errorf("%w: multipart without a boundary", ErrNoStructure)
	}
	root := newFields(len(plain))
	reader := multipart.NewReader(bytes.NewReader(plain), boundary)
	for count := 0; ; count++ {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return root.finish(odd)
		}
		if err != nil {
			return document, nil, fmt.Errorf("%w: malformed multipart", ErrNoStructure)
		}
		if count == maxFields {
			return document, nil, fmt.Errorf("%w: the form has more than %d fields", ErrTooLarge, maxFields)
		}
		switch strings.ToLower(part.Header.Get("Content-Transfer-Encoding")) {
		case "", "7bit", "8bit", "binary":
		default:
			// Some servers decode the part, and some do not.
			odd = errMixedForm
		}
		if part.FormName() == "" {
			odd = errMixedForm // a name that others may read all the same
			continue
		}
		if part.FileName() != "" {
			continue
		}
		value, err := readAll(part, MaxSize)
		if err != nil {
			return document, nil, fmt.Errorf("%w: malformed multipart", ErrNoStructure)
		}
		if media, _ := mediaType(part.Header.Get("Content-Type")); isJSON(media) && json.Valid(value) {
			err = root.set(part.FormName(), bytes.TrimSpace(value))
		} else {
			err = root.set(part.FormName(), appendString(nil, string(value)))
		}
		if err != nil {
			return document, nil, err
		}
	}
}

// fields is a form under construction. All its members stand in one slice, because
// a stranger can name very many.
type fields struct {
	all []field
	// at finds a member by its object and name.
	at map[edge]int32
	// left is how many more members there may be.
	left int
	odd  error
}

// edge leads from an object, by its index, to a member.
type edge struct {
	object int32
	name   string
}

// field is a member of an object, or one of several values of such a member. It
// links to what is below it and beside it; 0 is none, as the root is neither.
type field struct {
	name              string
	value             []byte // JSON, of a value
	first, last, next int32
	isObject, isArray bool
}

// maxStepsOf returns how many steps and values the names of a form can have.
func maxStepsOf(length int) int { return min(maxSteps, 64+length/2) }

// newFields returns an empty form for a body of some length.
func newFields(length int) *fields {
	return &fields{
		all: make([]field, 1, 16), at: make(map[edge]int32), left: maxStepsOf(length),
	}
}

var errManySteps = fmt.Errorf("%w: the names of the form have too many brackets", ErrTooLarge)

// add adds a field below another.
func (f *fields) add(below int32, added field) (int32, error) {
	if f.left--; f.left < 0 {
		return 0, errManySteps
	}
	i := int32(len(f.all))
	f.all = append(f.all, added)
	if parent := &f.all[below]; parent.first == 0 {
		parent.first, parent.last = i, i
	} else {
		f.all[parent.last].next = i
		parent.last = i
	}
	return i, nil
}

// set puts a value where the field's name says.
func (f *fields) set(name string, value []byte) error {
	path, array := bracketed(name)
	if len(path) == 1 && path[0] == name && strings.ContainsAny(name, "[]") {
		f.odd = errMixedForm // brackets that do not pair
	}
	if !f.free(path) {
		f.odd = errMixedForm
		path, array = []string{name}, false
		if !f.free(path) {
			// The field has the name of an object that earlier fields began. No
			// path could lead to it beside that object.
			return nil
		}
	}
	at := int32(0)
	for i, step := range path {
		next, known := f.at[edge{at, step}]
		if !known {
			var err error
			if next, err = f.add(at, field{name: step, isObject: i < len(path)-1}); err != nil {
				return err
			}
			f.at[edge{at, step}] = next
		}
		at = next
	}
	f.all[at].isArray = f.all[at].isArray || array
	_, err := f.add(at, field{value: value})
	return err
}

// free reports whether a value can stand at a path: the path leads through no
// value, and does not end at an object.
func (f *fields) free(path []string) bool {
	at := int32(0)
	for i, step := range path {
		next, known := f.at[edge{at, step}]
		if !known {
			return true
		}
		if last := i == len(path)-1; f.all[next].isObject == last {
			return false
		}
		at = next
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

// finish writes the form as JSON.
func (f *fields) finish(odd error) (Document, error, error) {
	if f.all[0].first == 0 {
		return Document{}, nil, fmt.Errorf("%w: the form has no fields", ErrNoStructure)
	}
	if odd == nil {
		odd = f.odd
	}
	out, err := f.appendObject(nil, 0)
	if err == nil {
		out, err = checked(out)
	}
	return Document{JSON: out, Lists: true, form: true}, odd, err
}

func (f *fields) appendObject(out []byte, at int32) ([]byte, error) {
	out = append(out, '{')
	for i := f.all[at].first; i != 0; i = f.all[i].next {
		if len(out) > MaxSize {
			return nil, ErrTooLarge
		}
		if i != f.all[at].first {
			out = append(out, ',')
		}
		out = append(appendString(out, f.all[i].name), ':')
		if f.all[i].isObject {
			var err error
			if out, err = f.appendObject(out, i); err != nil {
				return nil, err
			}
			continue
		}
		out = f.appendValues(out, i)
	}
	return append(out, '}'), nil
}

// appendValues appends the one value of a member as it is, and several as an array.
func (f *fields) appendValues(out []byte, at int32) []byte {
	member := f.all[at]
	isArray := member.isArray || member.first != member.last
	if isArray {
		out = append(out, '[')
	}
	for i := member.first; i != 0; i = f.all[i].next {
		if i != member.first {
			out = append(out, ',')
		}
		out = append(out, f.all[i].value...)
	}
	if isArray {
		out = append(out, ']')
	}
	return out
}
