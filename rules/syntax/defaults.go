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
// out. It does not change its receiver, which is the user's configuration.
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
	if len(r.Rules) == 0 {
		r.Rules = conventionalRules(show.Path)
	}
	if len(r.ID) == 0 {
		r.ID = []string{"id", r.Name + ".id", inflection.Singular(r.Name) + ".id", "data.id", r.Name + ".#.id", "data.#.id"}
		r.ID = slices.Compact(r.ID)
	}
	if len(r.Events) == 0 {
		r.Events = []*EventRule{
			{Type: r.Name + ".created", On: event.OpCreate},
			{Type: r.Name + ".updated", On: event.OpChange},
			{Type: r.Name + ".deleted", On: event.OpDelete},
		}
	}
	return r
}

// conventionalRules returns the rules of REST around a Show's path: objects are created
// at the path without its last segment, or what stands before the parenthesis of it
// (`/Products` for `/Products(:id)`), with the extension that the path has
// (`/issues.json` for `/issues/:id.json`).
func conventionalRules(path string) []*Rule {
	path, _, _ = strings.Cut(path, "?")
	// A slash at the end, as Django's paths have, begins no segment.
	below := strings.TrimSuffix(path, "/")
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
