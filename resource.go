// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/jinzhu/inflection"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Resource declares one kind of object of the API: how its Show is read, which
// requests change it, and which events its changes make.
//
// A resource of which only the name is given follows the conventions of REST:
// Show is `GET /NAME/:id`; `POST /NAME` creates; `PUT` and `PATCH` of
// `/NAME/:id`, and any unsafe method on `/NAME/:id/*`, update; `DELETE
// /NAME/:id` deletes.
type Resource struct {
	// Name names the resource in objects' keys, events and logs, such as
	// `items`: letters, digits, `_` and `-`. Required.
	Name string `json:"name"`

	// Show is the request that reads an object. Every `:name` in its path is
	// part of the object's key. Default: `GET /NAME/:id`.
	Show *Request `json:"show,omitempty"`

	// Rules say which requests change an object. Default, when there is none:
	// the conventions of REST, with Show's path in place of `/NAME/:id`.
	Rules []*Rule `json:"rules,omitempty"`

	// ID lists gjson paths at which the object's id may stand in Show and in
	// the responses to writes; the first that exists is taken. Default: `id`,
	// `NAME.id`, `SINGULAR.id`, `data.id`.
	ID []string `json:"id,omitempty"`

	// Version is the gjson path of a field that grows with every change: a
	// number, or an RFC 3339 time, with `T` or a space. With it, a Show that is
	// older than what is already known is not taken but asked for again, for
	// five minutes; what the API shows then is believed, and its event says
	// that its freshness is unproven. Default: none, and all events say so.
	Version string `json:"version,omitempty"`

	// Events say which changes make an event, and of which type. Default:
	// `NAME.created` on create, `NAME.updated` on change and `NAME.deleted` on
	// delete.
	Events []*EventRule `json:"events,omitempty"`
}

// Request is a request's method and path.
type Request struct {
	// Method is the HTTP method. Default: `GET`.
	Method string `json:"method,omitempty"`

	// Path is the path, in which `:name` stands for one segment.
	Path string `json:"path"`
}

// Rule says that a request changes an object of the resource.
type Rule struct {
	// Kind is what the request means to do: `create`, `update` or `delete`.
	// What happened is decided by what the object was and what its Show is.
	Kind event.Kind `json:"kind"`

	// Methods are the HTTP methods that match. Default: any but GET, HEAD,
	// OPTIONS and TRACE.
	Methods []string `json:"methods,omitempty"`

	// Path is the path to match, in the syntax of Caddy's `url_pattern`
	// matcher. A trailing slash makes no difference. A rule that updates or
	// deletes must have every `:name` of Show's path; where one that creates
	// lacks them, the response tells the object, by its id or `Location`.
	Path string `json:"path"`
}

// EventRule says which change of an object makes an event.
type EventRule struct {
	// Type is the type of the event, such as `items.updated`. Braces take a
	// value from the Show by its gjson path, as `items.state.{items.state}`.
	Type string `json:"type"`

	// On is what must have happened: `create`, `change` or `delete`.
	On event.Op `json:"on"`

	// Paths are gjson paths in Show, one of which must have changed. Only for
	// `change`. Default: any change counts.
	Paths []string `json:"paths,omitempty"`

	// From lists the values one of which the field must have had. It needs
	// paths. Default: any.
	From []string `json:"from,omitempty"`

	// To lists the values one of which the field must have now. It needs
	// paths. Default: any.
	To []string `json:"to,omitempty"`
}

// String returns the rule's method and path, as "PUT|PATCH /items/:id".
func (r Rule) String() string {
	if len(r.Methods) == 0 {
		return "* " + r.Path
	}
	return strings.Join(r.Methods, "|") + " " + r.Path
}

// String returns the method and the path, as "GET /items/:id".
func (r Request) String() string {
	return r.Method + " " + r.Path
}

// withDefaults returns the resource with everything filled in that was left
// out. It does not change its receiver, which is the user's configuration.
func (r Resource) withDefaults() Resource {
	show := Request{Path: "/" + r.Name + "/:id"}
	if r.Show != nil {
		show = *r.Show
	}
	if show.Method == "" {
		show.Method = http.MethodGet
	}
	r.Show = &show

	if len(r.Rules) == 0 {
		collection := show.Path
		if i := strings.LastIndexByte(collection, '/'); i > 0 {
			collection = collection[:i]
		}
		r.Rules = []*Rule{
			{Kind: event.KindCreate, Methods: []string{http.MethodPost}, Path: collection},
			{Kind: event.KindUpdate, Methods: []string{http.MethodPut, http.MethodPatch}, Path: show.Path},
			{Kind: event.KindUpdate, Path: strings.TrimSuffix(show.Path, "/") + "/*"},
			{Kind: event.KindDelete, Methods: []string{http.MethodDelete}, Path: show.Path},
		}
	}
	if len(r.ID) == 0 {
		r.ID = []string{"id", r.Name + ".id", inflection.Singular(r.Name) + ".id", "data.id"}
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

// partError is an error in one part of a resource: a *Rule, an *EventRule, or
// the word of an option. It lets the Caddyfile name the part's line.
type partError struct {
	part any
	err  error
}

func (e partError) Error() string { return e.err.Error() }
func (e partError) Unwrap() error { return e.err }

// validate reports the first thing that is wrong with a resource whose
// defaults are filled in, as a partError where it is wrong in one part.
func (r Resource) validate() error {
	if r.Name == "" || strings.IndexFunc(r.Name, notNameRune) >= 0 {
		return fmt.Errorf("resource %q: a name is made of letters, digits, '_' and '-'", r.Name)
	}
	show, err := r.validateShow()
	if err != nil {
		return partError{"show", fmt.Errorf("resource %s: show %s: %w", r.Name, r.Show, err)}
	}
	for _, rule := range r.Rules {
		if err := r.validateRule(rule, show); err != nil {
			return partError{rule, fmt.Errorf("resource %s: %s %s: %w", r.Name, rule.Kind, rule, err)}
		}
	}
	for _, path := range r.ID {
		if err := checkFieldPath(path); err != nil {
			return partError{"id", fmt.Errorf("resource %s: id: %w", r.Name, err)}
		}
	}
	if err := checkFieldPath(r.Version); err != nil {
		return partError{"version", fmt.Errorf("resource %s: version: %w", r.Name, err)}
	}
	_, err = r.triggers()
	return err
}

func (r Resource) validateShow() (pattern, error) {
	show, err := parsePattern(r.Show.Path)
	switch {
	case err != nil:
		return show, err
	case len(show.names) == 0:
		return show, fmt.Errorf("the path does not say which object; put :id where its id stands, as /%s/:id", r.Name)
	case show.tail || show.expression != "":
		return show, errors.New("a path is built from this pattern, so it may hold only text and :name segments")
	}
	return show, nil
}

func (r Resource) validateRule(rule *Rule, show pattern) error {
	switch rule.Kind {
	case event.KindCreate, event.KindUpdate, event.KindDelete:
	default:
		return fmt.Errorf("a rule's kind is create, update or delete, not %q", rule.Kind)
	}
	path, err := parsePattern(rule.Path)
	if err != nil {
		return err
	}
	for i, name := range show.names {
		if slices.Contains(path.names, name) {
			continue
		}
		// The response to a create tells the last part of the key; the parts
		// before it name where the object lives, and the request must tell.
		if rule.Kind == event.KindCreate && i == len(show.names)-1 {
			continue
		}
		return fmt.Errorf("the path lacks :%s, which is part of the object's key in show %s; put :%s where it stands", name, r.Show, name)
	}
	return nil
}

// triggers compiles the event rules.
func (r Resource) triggers() ([]event.Trigger, error) {
	triggers := make([]event.Trigger, 0, len(r.Events))
	for _, rule := range r.Events {
		trigger, err := rule.trigger()
		if err != nil {
			return nil, partError{rule, fmt.Errorf("resource %s: event %s: %w", r.Name, rule.Type, err)}
		}
		triggers = append(triggers, trigger)
	}
	return triggers, nil
}

func (e EventRule) trigger() (event.Trigger, error) {
	name, err := event.ParseTemplate(e.Type)
	switch {
	case err != nil:
		return event.Trigger{}, err
	case e.On != event.OpCreate && e.On != event.OpChange && e.On != event.OpDelete:
		return event.Trigger{}, fmt.Errorf("on takes create, change or delete, not %q", e.On)
	case e.On != event.OpChange && len(e.Paths)+len(e.From)+len(e.To) > 0:
		return event.Trigger{}, fmt.Errorf("on %s takes nothing after it; only on change takes fields and values", e.On)
	case len(e.Paths) == 0 && len(e.From)+len(e.To) > 0:
		return event.Trigger{}, errors.New("from and to need the path of the field before them, as `on change state to completed`")
	}
	for _, path := range append(slices.Clone(e.Paths), name.Paths()...) {
		if err := checkFieldPath(path); err != nil {
			return event.Trigger{}, err
		}
	}
	return event.Trigger{Type: name, On: e.On, Paths: e.Paths, From: e.From, To: e.To}, nil
}

// checkFieldPath refuses gjson's modifiers. They transform a document rather
// than name a field, and a mistyped one matches nothing without a word.
func checkFieldPath(path string) error {
	if strings.ContainsAny(path, "@!") {
		return fmt.Errorf("path %q: '@' and '!' are not allowed in the path of a field", path)
	}
	return nil
}

func notNameRune(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
}
