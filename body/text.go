// SPDX-License-Identifier: Apache-2.0

package body

import (
	"github.com/tidwall/gjson"
)

// Scalar returns the text of the string or number at a path, or "". Numbers
// are taken as they are written: as a float, 9007199254740993 would be another
// number.
func Scalar(document []byte, path string) string {
	if len(document) == 0 {
		return ""
	}
	return scalar(gjson.GetBytes(document, path))
}

func scalar(v gjson.Result) string {
	switch v.Type {
	case gjson.String:
		return v.Str
	case gjson.Number:
		return v.Raw
	case gjson.Null, gjson.False, gjson.True, gjson.JSON:
	}
	return ""
}

// Scalars returns the texts of all strings and numbers at a path: one, or
// those of an array. Where the whole document is an array, as a batch's is, the
// path may also be that of each element. An object in the place of an array
// counts as an array of one, because XML writes a list of one that way (see
// [Values]).
//
// It stops soon after limit texts: a longer result only says that there are
// more.
func Scalars(document []byte, path string, limit int) []string {
	if len(document) == 0 {
		return nil
	}
	found := Values(document, path)
	if len(found) == 0 && document[0] == '[' {
		found = Values(document, "#."+path)
	}
	var texts []string
	for _, raw := range found {
		texts = appendScalars(texts, gjson.ParseBytes(raw), limit, maxNested)
	}
	return texts
}

// maxNested limits the depth of nested arrays from which [Scalars] takes texts.
const maxNested = 4

func appendScalars(texts []string, v gjson.Result, limit, depth int) []string {
	if !v.IsArray() {
		if text := scalar(v); text != "" {
			texts = append(texts, text)
		}
		return texts
	}
	v.ForEach(func(_, element gjson.Result) bool {
		if depth > 0 {
			texts = appendScalars(texts, element, limit, depth-1)
		}
		return len(texts) <= limit
	})
	return texts
}

// Text returns the value at a path as text: a scalar as a configuration writes
// it, an object or array as JSON, "" for null and for nothing.
func Text(document []byte, path string) string {
	if len(document) == 0 {
		return ""
	}
	switch found := gjson.GetBytes(document, path); found.Type {
	case gjson.Null:
		return ""
	case gjson.String:
		return found.Str
	case gjson.False, gjson.True, gjson.Number, gjson.JSON:
		return found.Raw
	}
	return ""
}
