// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/effect"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/rules/where"
)

// optional ends a path that may be absent from all Shows.
const optional = "?"

// plainPaths returns paths without what says that they may be absent.
func plainPaths(paths []string) []string {
	plain := make([]string, len(paths))
	for i, path := range paths {
		plain[i], _ = cutOptional(path)
	}
	return plain
}

// cutOptional returns a path without the mark at its end, and reports whether it had one.
func cutOptional(path string) (string, bool) {
	if strings.HasSuffix(path, `\`+optional) {
		return path, false // it belongs to a name
	}
	return strings.CutSuffix(path, optional)
}

// worder adds the words of one resource to a register.
type worder struct {
	words *effect.Register
	at    int // of the resource among those of the handler
	d     syntax.Resource
	r     *Resource
}

// addWords has it noted which words of a resource find what they look for. What describes
// answers that are rare by nature, as `refused`, `failed` and `gone` do, is left out.
func (s *Set) addWords(at int, d syntax.Resource, r *Resource) {
	w := worder{words: s.Words, at: at, d: d, r: r}
	r.inShows = new(inShows)
	if len(d.Only) == 0 {
		r.inShows.hide = r.Projection
	}
	w.addFields()
	w.addEvents()
	if l := r.List; l != nil {
		places := append(slices.Clone(d.List.Keys), d.List.IDs)
		// A list may be made once only, and one that has something but no ids is wrong.
		l.word = w.add("list", fmt.Sprintf("list %s %s", d.List.Request, strings.Join(places, " ")), effect.InPages, 1)
	}
	if n := r.Callback; n != nil {
		n.word = w.add("notify", "notify url "+d.Notify.URL, effect.InRequests, effect.Enough)
	}
	for _, rule := range r.Rules {
		w.addRule(rule)
	}
}

// add adds a word that stands in a part of the resource.
func (w worder) add(part, word, in string, enough uint64) *effect.Word {
	return w.words.Add(effect.Line{Resource: w.d.Name, Word: word, At: w.d.At(w.at, part), In: in}, enough)
}

// inShow adds a word that looks for something at a path in Shows.
func (w worder) inShow(line effect.Line, part, path string, found func(event.Document, http.Header) bool) {
	line.Resource, line.At, line.In = w.d.Name, w.d.At(w.at, part), effect.InShows
	w.r.inShows.all = append(w.r.inShows.all, inShow{w.words.Add(line, effect.Enough), path, found})
}

// addFields adds the words that name fields of Show.
func (w worder) addFields() {
	for _, of := range []struct {
		word  string
		paths []string
	}{{"hide", w.d.Hide}, {"only", w.d.Only}, {"volatile", w.d.Volatile}} {
		for i, path := range of.paths {
			plain, absent := cutOptional(path)
			if absent {
				continue
			}
			line := effect.Line{Word: of.word + " " + path, Leaks: of.word == "hide"}
			w.inShow(line, fmt.Sprintf("%s/%d", of.word, i), plain, meetsPath(plain))
		}
	}
	switch {
	case w.r.ETag:
		w.inShow(effect.Line{Word: "version etag"}, "version", "", func(_ event.Document, header http.Header) bool { return header.Get("Etag") != "" })
	case w.r.Version != "":
		w.inShow(effect.Line{Word: "version " + w.r.Version}, "version", w.r.Version, hasText(w.r.Version))
	}
	if w.r.Tenant != "" {
		w.inShow(effect.Line{Word: "tenant " + w.r.Tenant}, "tenant", w.r.Tenant, hasText(w.r.Tenant))
	}
	if p := w.r.Parent; p != nil {
		for _, path := range p.Paths {
			w.inShow(effect.Line{Word: "parent " + p.name + " " + path}, "parent", path, hasField(path))
		}
	}
	if of := w.r.Watch; of != nil {
		w.inShow(effect.Line{Word: "watch until " + of.Until.text}, "watch", of.Until.value.Name, hasField(of.Until.value.Name))
	}
	if n := w.r.Callback; n != nil && n.Until != nil {
		w.inShow(effect.Line{Word: "notify until " + n.Until.text}, "notify", n.Until.value.Name, hasField(n.Until.value.Name))
	}
}

// addEvents adds the fields that events look at, and those in their types.
func (w worder) addEvents() {
	for i, rule := range w.d.Events {
		part := fmt.Sprintf("events/%d", i)
		for _, path := range rule.Paths {
			w.inShow(effect.Line{Word: "event " + rule.Type + " on " + string(rule.On) + " " + path}, part, path, hasField(path))
		}
		for _, path := range w.r.Triggers[i].Type.Paths() {
			w.inShow(effect.Line{Word: "event " + rule.Type + ", for {" + path + "}"}, part, path, hasText(path))
		}
	}
}

// addRule adds a rule, and what it looks for in requests and answers.
func (w worder) addRule(rule *Rule) {
	part, name := "", fmt.Sprintf("%s %s", rule.Kind, rule.Name)
	if i := slices.Index(w.d.Rules, rule.declared); i >= 0 && !rule.conventional {
		part = fmt.Sprintf("rules/%d", i)
	} else {
		name += " (by convention)"
	}
	rule.word = w.words.Add(effect.Line{Resource: w.d.Name, Word: name, At: w.d.At(w.at, part), Rule: true, In: effect.InRequests}, effect.Enough)
	add := func(word, in string) *effect.Word { return w.add(part, name+": "+word, in, effect.Enough) }
	if rule.Key[len(rule.Key)-1].Placeholder < 0 && rule.Makes == nil {
		w.addNamed(rule, part, name)
	}
	for i := range rule.where {
		c := &rule.where[i]
		if c.cel != nil {
			for _, variable := range []string{where.Request, where.Query, where.Header} {
				for _, field := range c.cel.Names(variable) {
					c.words = append(c.words, read{variable, field, add("where "+c.text+", for "+variable+"."+field, effect.InRequests)})
				}
			}
		} else if c.value.Source != FromPath {
			c.word = add("where "+c.text, effect.InRequests)
		}
	}
	if rule.success != nil {
		for i := range rule.success.where {
			if c := &rule.success.where[i]; c.cel == nil {
				c.word = add("success where "+c.text, effect.InAnswers)
			}
		}
	}
	for i := range rule.Touches {
		t := &rule.Touches[i]
		switch {
		case t.Via != nil:
			t.Via.word = add(fmt.Sprintf("touches %s via %s %s", t.declared.Resource, t.Via.declared.Request, t.Via.declared.IDs), effect.InAnswers)
		case !t.Children && !slices.ContainsFunc(t.Places, func(v Value) bool { return v.Source == FromPath }):
			t.word = add("touches "+t.declared.Resource+" "+strings.Join(append(slices.Clone(t.declared.Keys), t.declared.IDs), " "), effect.InExchanges)
		}
	}
	if rule.Find != nil {
		rule.Find.word = add(fmt.Sprintf("find %s %s", rule.Find.declared.Request, rule.Find.declared.IDs), effect.InAnswers)
	}
}

// addNamed adds what tells the id of a rule's objects where the path does not.
func (w worder) addNamed(rule *Rule, part, name string) {
	ids := w.d.ID
	switch {
	case len(rule.declared.ID) > 0:
		ids = rule.declared.ID
	case w.r.idsGiven:
		part = "id"
	}
	rule.named = w.add(part, name+": id "+strings.Join(ids, " "), effect.InExchanges, effect.Enough)
}

// meetsPath returns what reports whether a Show has anything at a path, as `hide` reads it.
func meetsPath(path string) func(event.Document, http.Header) bool {
	without, err := event.NewProjection([]string{path}, nil)
	return func(document event.Document, _ http.Header) bool {
		if err != nil {
			return true // it is refused
		}
		rest, err := without.Apply(document.JSON())
		return err != nil || !bytes.Equal(rest, document.JSON())
	}
}

// hasField returns what reports whether a Show has a field, which may be null.
func hasField(path string) func(event.Document, http.Header) bool {
	return func(document event.Document, _ http.Header) bool { return len(document.Field(path)) > 0 }
}

// hasText returns what reports whether a Show has a field with something in it.
func hasText(path string) func(event.Document, http.Header) bool {
	return func(document event.Document, _ http.Header) bool {
		text := event.Text(document.Field(path))
		return text != "" && text != "null"
	}
}
