// SPDX-License-Identifier: Apache-2.0

package body

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/internal/jsonpath"
)

// Texts is what readers may find at a place.
type Texts struct {
	// All are the texts that may be found, each once. "" is nothing.
	All []string
	// Unsure is true if readers may find different texts of All.
	Unsure bool
	// Unknown is true if readers may find texts that All does not have.
	Unknown bool
}

// Add adds a text. Of many, it may add one twice.
func (t *Texts) Add(text string) {
	if !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError) {
		// Readers keep, replace or refuse what is no character.
		t.Unknown = true
	}
	if len(t.All) < maxReadings && slices.Contains(t.All, text) {
		return
	}
	t.All = append(t.All, text)
}

// Join adds what readers may find elsewhere instead.
func (t *Texts) Join(other Texts) {
	if len(t.All)+len(other.All) > 0 && !slices.Equal(t.All, other.All) {
		t.Unsure = true
	}
	for _, text := range other.All {
		t.Add(text)
	}
	t.Unsure = t.Unsure || other.Unsure
	t.Unknown = t.Unknown || other.Unknown
}

// At returns what readers may find at a path. With list, it looks for strings and
// numbers as [Scalars] does; without, for one value as [Text] does, where All has ""
// if a reader may find none.
//
// Readers disagree about a name that is repeated (the first or the last counts), and
// about names that differ in case (Go and others take either); about numbers that no
// float holds; and, in forms and XML, about elements that are repeated.
func (d Document) At(path string, list bool, limit int) Texts {
	if len(d.JSON) == 0 {
		return Texts{}
	}
	root := gjson.ParseBytes(d.JSON)
	steps, err := jsonpath.Parse(path)
	if err != nil || !list && slices.ContainsFunc(steps, func(s jsonpath.Step) bool { return s.Kind != jsonpath.Name }) {
		return d.byQuery(root, path, list, limit)
	}
	w := walk{document: d}
	w.follow(root, steps)
	if list && len(w.found) == 0 && root.IsArray() {
		w = walk{document: d}
		w.follow(root, append([]jsonpath.Step{{Kind: jsonpath.Each}}, steps...))
	}
	texts := Texts{Unsure: w.unsure}
	if w.missing && !list {
		texts.Add("")
	}
	for _, value := range w.found {
		if list {
			lists := d.Lists && steps[len(steps)-1].Kind != jsonpath.Each
			texts.addScalars(value, limit, maxNested, lists)
		} else {
			texts.addText(value, d.Lists)
		}
	}
	if !list && len(texts.All) == 0 {
		texts.Add("")
	}
	if w.unsure && len(w.found) == 1 && !w.missing && len(texts.All) == 1 {
		texts.Unsure = true
	}
	return texts
}

// byQuery follows a path that cannot be followed step by step. If any name in the
// document is repeated, nobody knows what others find.
func (d Document) byQuery(root gjson.Result, path string, list bool, limit int) Texts {
	texts := Texts{Unknown: repeats(root)}
	if !list {
		texts.Add(Text(d.JSON, path))
		return texts
	}
	for _, text := range Scalars(d.JSON, path, limit) {
		texts.Add(text)
	}
	return texts
}

// walk follows a path in all ways in which readers may follow it.
type walk struct {
	document Document
	found    []gjson.Result
	unsure   bool
	missing  bool // a reader may find nothing
}

func (w *walk) follow(at gjson.Result, steps []jsonpath.Step) {
	if len(steps) == 0 {
		w.found = append(w.found, at)
		return
	}
	step, rest := steps[0], steps[1:]
	index, isIndex := step.Index()
	switch {
	case step.Kind == jsonpath.Each && !at.IsArray():
		w.follow(at, rest)
	case step.Kind != jsonpath.Name:
		at.ForEach(func(_, value gjson.Result) bool {
			w.follow(value, rest)
			return true
		})
	case at.IsArray() && isIndex:
		n := -1
		at.ForEach(func(_, value gjson.Result) bool {
			if n++; n == index {
				w.follow(value, rest)
			}
			return n < index
		})
	case at.IsArray() && w.document.Lists:
		// An element that is repeated, where one is expected.
		w.unsure = true
		at.ForEach(func(_, value gjson.Result) bool {
			w.follow(value, steps)
			return true
		})
	case at.IsObject():
		w.members(at, step.Name, rest)
	}
}

// members follows all members that a reader may take for the one of a name.
func (w *walk) members(at gjson.Result, name string, rest []jsonpath.Step) {
	exact, others := 0, 0
	at.ForEach(func(key, value gjson.Result) bool {
		switch {
		case key.Str == name:
			exact++
		case strings.EqualFold(key.Str, name), w.document.form && sameField(key.Str, name):
			others++
		default:
			return true
		}
		w.follow(value, rest)
		return true
	})
	if exact+others > 1 || others > 0 {
		w.unsure = true
	}
	w.missing = w.missing || exact == 0 && others > 0
}

// sameField reports whether PHP takes one name of a form for another.
func sameField(key, name string) bool {
	key, _, _ = strings.Cut(key, "\x00")
	return phpNames.Replace(strings.TrimLeft(key, " ")) == name
}

var phpNames = strings.NewReplacer(".", "_", " ", "_", "[", "_")

// addText adds a value as [Text] has it.
func (t *Texts) addText(v gjson.Result, lists bool) {
	switch {
	case v.Type == gjson.Null:
		t.Add("")
	case v.Type == gjson.Number:
		t.addNumber(v.Raw)
	case v.Type == gjson.String:
		t.Add(v.Str)
	case lists && v.IsArray():
		t.Unsure = true
		v.ForEach(func(_, element gjson.Result) bool {
			t.addText(element, lists)
			return len(t.All) < maxReadings
		})
	case lists && v.IsObject():
		t.addMixed(v)
	default:
		t.Add(v.Raw)
	}
}

// maxReadings limits how many texts one place can have.
const maxReadings = 64

// addMixed adds the text of an XML element that has more than text.
func (t *Texts) addMixed(v gjson.Result) {
	text := v.Get("#text")
	if text.Type != gjson.String {
		t.Add(v.Raw)
		return
	}
	t.Add(text.Str)
}

// addScalars adds strings and numbers as [Scalars] does. With lists, several in the
// place of one contradict each other.
func (t *Texts) addScalars(v gjson.Result, limit, depth int, lists bool) {
	switch {
	case v.IsArray():
		n := 0
		v.ForEach(func(_, element gjson.Result) bool {
			n++
			if depth > 0 {
				t.addScalars(element, limit, depth-1, false)
			}
			return n <= limit && len(t.All) <= limit
		})
		t.Unsure = t.Unsure || lists && n > 1
	case v.IsObject() && v.Get("#text").Type == gjson.String:
		t.Add(v.Get("#text").Str)
	case v.Type == gjson.Number:
		t.addNumber(v.Raw)
	case v.Type == gjson.String && v.Str != "":
		t.Add(v.Str)
	}
}

// maxInteger is the first integer that floats do not tell from its neighbours.
const maxInteger = 1 << 53

// addNumber adds a number as it is written, and as those have it who read numbers as
// floats.
func (t *Texts) addNumber(raw string) {
	t.Add(raw)
	f, err := strconv.ParseFloat(raw, 64)
	if err != nil || math.IsInf(f, 0) {
		t.Unknown = true
		return
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if f == 0 {
		text = "0"
	}
	if text == raw && math.Abs(f) < maxInteger {
		return
	}
	t.Unsure = true
	t.Add(text)
	if f == math.Trunc(f) {
		t.Add(text + ".0")
	}
}
