// SPDX-License-Identifier: Apache-2.0

package syntax

import (
	"net/http"
	"slices"
	"strings"

	"github.com/jinzhu/inflection"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// WithDefaults returns the resource with everything filled in that was left
// out: rules that are conventional follow those that are declared. It does not change
// its receiver, which is the user's configuration.
func (r Resource) WithDefaults() Resource {
	show := Request{Path: "/" + r.Name + "/:id"}
	if r.Show != nil {
		show = *r.Show
	}
	if show.Method == "" {
		show.Method = http.MethodGet
	}
	r.Show = &show
	if r.ShowFrom == "" {
		r.ShowFrom = ShowFromOperator
	}
	if r.ShowFrom == ShowFromCaller && len(r.CallerHeaders) == 0 {
		r.CallerHeaders = []string{"Authorization", "Cookie"}
	}
	if len(r.CallerIDs) == 0 {
		r.CallerIDs = []string{"me", "self", "myself", "current", "@me", "~me", "~"}
	}
	if r.Conventions != ConventionsNone && r.Conventions != ConventionsEvents {
		r.Rules = slices.Concat(r.Rules, conventionalRules(show))
	}
	if len(r.ID) == 0 {
		r.ID = []string{"id", r.Name + ".id", inflection.Singular(r.Name) + ".id", "data.id", r.Name + ".#.id", "data.#.id"}
		r.ID = slices.Compact(r.ID)
	}
	if r.Conventions != ConventionsNone && r.Conventions != ConventionsRules {
		r.Events = withConventionalEvents(r.Name, r.Events)
	}
	return r
}

// withConventionalEvents adds the conventional events to those that are declared. One
// that is declared for every object that is created, changed or deleted takes the place
// of the conventional one.
func withConventionalEvents(name string, declared []*EventRule) []*EventRule {
	all := slices.Clone(declared)
	for _, c := range []*EventRule{
		{Type: name + ".created", On: event.OpCreate},
		{Type: name + ".updated", On: event.OpChange},
		{Type: name + ".deleted", On: event.OpDelete},
	} {
		if !slices.ContainsFunc(declared, func(e *EventRule) bool { return e.On == c.On && (e.Type == c.Type || e.isEvery()) }) {
			all = append(all, c)
		}
	}
	return all
}

// isEvery reports whether the event is made whenever what it is on happens.
func (e *EventRule) isEvery() bool { return len(e.Paths) == 0 && e.When == "" }

// conventionalRules returns the rules of REST around a Show's path: objects are created
// at the path without its last segment, or what stands before the parenthesis of it
// (`/Products` for `/Products(:id)`), with the extension that the path has
// (`/issues.json` for `/issues/:id.json`). There are none for a Show that is not read by
// GET, or whose path does not end with the object's id: its API does not follow REST.
func conventionalRules(show Request) []*Rule {
	path, query, _ := strings.Cut(show.Path, "?")
	// A slash at the end, as Django's paths have, begins no segment.
	below := strings.TrimSuffix(path, "/")
	if show.Method != http.MethodGet || strings.Contains(query, "{") || strings.Contains(show.Body, "{") || !strings.Contains(below[strings.LastIndexByte(below, '/')+1:], ":") {
		return nil
	}
	collection := below
	if i := strings.LastIndexByte(collection, '/'); i > 0 {
		collection = collection[:i]
	}
	at := strings.LastIndexByte(below, '/') + 1
	before, name, isNamed := strings.Cut(below[at:], ":")
	if paren := strings.IndexByte(before, '('); isNamed && paren > 0 {
		collection = below[:at] + before[:paren]
	} else if dot := strings.IndexByte(name, '.'); isNamed && dot > 0 && !strings.ContainsAny(name, `({*+?\`) {
		collection += name[dot:]
		below = strings.TrimSuffix(below, name[dot:])
	}
	rules := []*Rule{
		{Kind: event.KindCreate, Methods: []string{http.MethodPost}, Path: collection},
		{Kind: event.KindUpdate, Methods: []string{http.MethodPut, http.MethodPatch}, Path: path},
		{Kind: event.KindUpdate, Path: below + "/*"},
		{Kind: event.KindDelete, Methods: []string{http.MethodDelete}, Path: path},
	}
	if strings.HasSuffix(below, "*") || strings.HasSuffix(below, "+") {
		// Nothing is below a path of all depths.
		return slices.Delete(rules, 2, 3)
	}
	return rules
}
