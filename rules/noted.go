// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/jsonpath"
	"github.com/caddy-webhooks/caddy-webhooks/rules/effect"
	"github.com/caddy-webhooks/caddy-webhooks/rules/where"
)

// inShow is a word that looks for something at a path of Shows.
type inShow struct {
	word  *effect.Word
	path  string
	found func(document event.Document, header http.Header) bool
}

// inShows are all such words of a resource.
type inShows struct {
	all []inShow
	// hide removes what nobody may be told of, not even by name.
	hide event.Projection
	done atomic.Bool // once all have found something
}

// NoteShow notes which words find what they look for in a Show that is new, or differs
// from the last. Once all have, it does nothing.
func (r *Resource) NoteShow(document event.Document, header http.Header) {
	if r.inShows.done.Load() || !document.IsJSON() {
		return
	}
	done := true
	for _, w := range r.inShows.all {
		if !w.word.Done() {
			w.word.Note(w.found(document, header), func() string {
				shown, err := r.inShows.hide.Apply(document.JSON())
				if err != nil {
					return ""
				}
				return like(shown, w.path)
			})
		}
		done = done && w.word.Done()
	}
	if done {
		r.inShows.done.Store(true)
	}
}

// NoteMatched notes that a request matches the rule.
func (r *Rule) NoteMatched() { r.word.Note(true, nil) }

// NoteNamed notes that an exchange tells an object of the rule, or that it does not,
// although the API has done what it was asked. JSON is the answer.
func (r *Rule) NoteNamed(found bool, json []byte) {
	r.named.Note(found, func() string {
		ids := r.Key[len(r.Key)-1].Response
		if len(ids) == 0 {
			return ""
		}
		return like(json, ids[len(ids)-1].Name)
	})
}

// NoteAnswer notes what an answer has of what `success` looks at.
func (r *Rule) NoteAnswer(json []byte) {
	if r.success == nil || len(json) == 0 {
		return
	}
	for i := range r.success.where {
		if c := &r.success.where[i]; !c.word.Done() {
			c.word.Note(body.Text(json, c.value.Name) != "", func() string { return like(json, c.value.Name) })
		}
	}
}

// NoteTouched notes whether an exchange that the API has done names objects to touch. An
// empty list names none, and is no sign of anything; neither is an answer that is not
// there, or cannot be read.
func (t *Touch) NoteTouched(found bool, answer func() []byte) {
	if t.word.Done() {
		return
	}
	var json []byte
	path := ""
	for _, v := range t.Places {
		if !found && v.Source == FromResponse {
			json, path = answer(), v.Name
			if len(json) == 0 || isEmpty(json, path) {
				return
			}
		}
	}
	t.word.Note(found, func() string { return like(json, path) })
}

// NoteNamed notes whether a request that may name a receiver does.
func (n *Callback) NoteNamed(found bool) { n.word.Note(found, nil) }

// note notes whether an answer has ids where they are looked for.
func (a answered) note(word *effect.Word, json []byte, found bool) {
	if word.Done() {
		return
	}
	path := ""
	for _, p := range a.paths {
		if p != "" {
			path = p
		}
	}
	if found || !isEmpty(json, path) {
		word.Note(found, func() string { return like(json, path) })
	}
}

// read is a member of a variable that an expression reads.
type read struct {
	variable, name string
	word           *effect.Word
}

// note notes, once, whether the request has what a word of a rule looks for.
func (r *Request) note(word *effect.Word, found bool) {
	if word.Done() || r.batch || slices.Contains(r.noted, word) {
		return
	}
	r.noted = append(r.noted, word)
	word.Note(found, nil)
}

// noteRead notes whether the request has what an expression reads.
func (r *Request) noteRead(words []read) {
	for _, of := range words {
		if of.word.Done() {
			continue
		}
		v := Value{Source: FromRequest, Name: jsonpath.Escape(of.name)}
		switch of.variable {
		case where.Query:
			v = Value{Source: FromQuery, Name: of.name}
		case where.Header:
			v = Value{Source: FromHeader, Name: http.CanonicalHeaderKey(of.name)}
		case where.Request:
			if !r.looked || r.problem != nil {
				continue
			}
			r.note(of.word, slices.ContainsFunc(r.reading.Documents, func(d body.Document) bool { return gjson.GetBytes(d.JSON, v.Name).Exists() }))
			continue
		}
		if texts, err := r.texts(v, true); err == nil {
			r.note(of.word, slices.ContainsFunc(texts.All, func(text string) bool { return text != "" }))
		}
	}
}

// isEmpty reports whether a path leads to the elements or members of a list or an object
// that is there and has none: then a value that is not there says nothing about the path.
func isEmpty(json []byte, path string) bool {
	of, names := strings.CutSuffix(strings.TrimSuffix(path, namesStep), ".")
	if names || path == namesStep {
		return hasNone(json, of)
	}
	steps, err := jsonpath.Parse(path)
	if err != nil {
		return false
	}
	at := slices.IndexFunc(steps, func(s jsonpath.Step) bool { return s.Kind != jsonpath.Name })
	if at < 0 {
		return false
	}
	before := make([]string, at)
	for i, step := range steps[:at] {
		before[i] = jsonpath.Escape(step.Name)
	}
	return hasNone(json, strings.Join(before, "."))
}

// hasNone reports whether there is a list or an object without anything at a path, or
// null; "" for the whole.
func hasNone(json []byte, path string) bool {
	value := gjson.ParseBytes(json)
	if path != "" {
		value = value.Get(path)
	}
	if value.Type == gjson.Null {
		return value.Exists()
	}
	none := value.IsArray() || value.IsObject()
	value.ForEach(func(_, _ gjson.Result) bool {
		none = false
		return false
	})
	return none
}
