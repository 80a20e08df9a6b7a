// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// maxKeys bounds how many objects one exchange can name. The rest of a larger
// one is found by looking at all objects of the resource.
const maxKeys = 10_000

// scalarAt returns the text of the string or number at a path, or "". Numbers
// are taken as they stand: as a float, 9007199254740993 would be another
// object.
func scalarAt(json []byte, path string) string {
	if len(json) == 0 {
		return ""
	}
	return scalar(gjson.GetBytes(json, path))
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

// scalarsAt returns the texts of all strings and numbers at a path: one, or
// those of an array. Where the whole body is an array, as a batch's is, the
// path may also be that of each element. Where it leads through a list that is
// none, because XML writes a list of one as the one, it is taken as a list.
func scalarsAt(json []byte, path string) []string {
	if len(json) == 0 {
		return nil
	}
	found := body.Values(json, path)
	if len(found) == 0 && json[0] == '[' {
		found = body.Values(json, "#."+path)
	}
	var texts []string
	for _, raw := range found {
		texts = appendScalars(texts, gjson.ParseBytes(raw), maxNested)
	}
	return texts
}

// maxNested bounds how deep the arrays are nested that ids are taken from.
const maxNested = 4

func appendScalars(texts []string, v gjson.Result, depth int) []string {
	if !v.IsArray() {
		if text := scalar(v); text != "" {
			texts = append(texts, text)
		}
		return texts
	}
	v.ForEach(func(_, element gjson.Result) bool {
		if depth > 0 {
			texts = appendScalars(texts, element, depth-1)
		}
		return len(texts) <= maxKeys
	})
	return texts
}

// textAt returns whatever stands at a path as text: scalars as they are written
// in a configuration, objects and arrays as JSON, "" for null and nothing.
func textAt(json []byte, path string) string {
	if len(json) == 0 {
		return ""
	}
	found := gjson.GetBytes(json, path)
	if found.Type == gjson.Null {
		return ""
	}
	return event.Text([]byte(found.Raw))
}
