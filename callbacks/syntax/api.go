// SPDX-License-Identifier: Apache-2.0

package syntax

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
	"github.com/caddy-webhooks/caddy-webhooks/callbacks/shape"
)

// API says who may use an API for subscribers, and in which shape it is.
type API struct {
	// Authorize are the ways to find out who asks: the first that knows the caller
	// counts. Default: `key`.
	Authorize []*Authorize `json:"authorize,omitempty"`

	// Routes are the methods and paths that are served in place of ours. Default: ours.
	Routes []*Route `json:"routes,omitempty"`

	// Shapes say what the members of bodies are called on Routes. Default: as by us.
	Shapes []*Shape `json:"shapes,omitempty"`
}

// Route is a method and a path, and what it does.
type Route struct {
	// Verb is what it does: `create`, `put`, `list`, `show`, `update`, `delete`, `pause`,
	// `resume`, `rotate`, `test`, `recover`, `replay` or `resend`. Required.
	Verb string `json:"verb"`

	// Thing is what it is done to: `endpoint`, `delivery` or `event`; the plural is the
	// same. Default: `endpoint`.
	Thing string `json:"thing,omitempty"`

	// Methods are the HTTP methods. HEAD and OPTIONS are answered by themselves. Required.
	Methods []string `json:"methods"`

	// Path is the path, with names for some of its segments: `:id` and `:type` (a type of
	// event, or its alias) for an endpoint, `:delivery`, `:event`, and `:tenant`, which
	// must be the caller's own. Required.
	Path string `json:"path"`

	// Status is that of success, 200 to 299. Default: that of our API.
	Status int `json:"status,omitempty"`

	// Object is a resource of whose object the path tells, with the names of its Show:
	// `resend` sends its last event again. Default: none.
	Object string `json:"object,omitempty"`

	// Authorize are the ways to find out who asks on this route. Default: those of the API.
	Authorize []*Authorize `json:"authorize,omitempty"`
}

// Shape says what the members of a thing are called.
type Shape struct {
	// Thing is `endpoint`, `delivery` or `event`.
	Thing string `json:"thing"`

	// In is a member in which one thing, or a list of them, stands in answers, and may
	// stand in requests. Default: none.
	In string `json:"in,omitempty"`

	// Fields are the members. What is in none of them is refused in requests, and left out
	// of answers.
	Fields []ShapeField `json:"fields"`
}

// ShapeField is a member of a body.
type ShapeField struct {
	// Name is what they call it; dots lead into objects, as `callback.url`.
	Name string `json:"name"`

	// Path is what we call it, as `url` or `payload.format`. Default: the same.
	Path string `json:"path,omitempty"`
}

// Served returns a route as it is served, without the ways to find out who asks.
func (r *Route) Served() shape.Route {
	return shape.Route{Verb: r.Verb, Thing: r.Thing, Methods: r.Methods, Path: r.Path, Status: r.Status, Object: r.Object}
}

// PartError is an error about a part of an API: a Route, a Shape, or an Authorize.
type PartError struct {
	Part any
	Err  error
}

// Error implements error.
func (e PartError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e PartError) Unwrap() error { return e.Err }

// Ways returns all ways to find out who asks, on any route.
func (a *API) Ways() []*Authorize {
	all := slices.Clone(a.Authorize)
	for _, r := range a.Routes {
		all = append(all, r.Authorize...)
	}
	return all
}

// inherits reports whether some route has no ways of its own to find out who asks.
func (a *API) inherits() bool {
	return len(a.Routes) == 0 || slices.ContainsFunc(a.Routes, func(r *Route) bool { return len(r.Authorize) == 0 })
}

// ObjectRoutes returns the routes that are about objects of resources.
func (a *API) ObjectRoutes() []*Route {
	return slices.DeleteFunc(slices.Clone(a.Routes), func(r *Route) bool { return r.Object == "" })
}

// CheckObject reports names of the path that are not those of a Show.
func (r *Route) CheckObject(show []string) error {
	path, err := shape.ParsePath(r.Path)
	if err != nil {
		return err
	}
	names := slices.Sorted(slices.Values(path.Names()))
	if wanted := slices.Sorted(slices.Values(show)); !slices.Equal(names, wanted) {
		of := r.Served()
		return fmt.Errorf("webhooks_api: the names in the path of `%s` must be those of the Show of %s: %s", &of, r.Object, ":"+strings.Join(show, ", :"))
	}
	return nil
}

// Check reports what is impossible, and fills in defaults. Upstream says whether the API
// can be asked.
func (a *API) Check(upstream bool) error {
	if err := a.check(); err != nil {
		return err
	}
	asks := slices.ContainsFunc(a.Ways(), (*Authorize).Asks)
	switch {
	case asks && !upstream:
		return errors.New("upstream is missing: say where the API is asked who a caller is, as `upstream 127.0.0.1:9000`")
	case !asks && upstream:
		return errors.New("upstream is of no use: no authorize asks the API; leave it out")
	}
	return nil
}

func (a *API) check() error {
	switch inherits := a.inherits(); {
	case inherits && len(a.Authorize) == 0:
		a.Authorize = []*Authorize{{Key: true}}
	case !inherits && len(a.Authorize) > 0:
		return PartError{a.Authorize[0], errors.New("authorize is of no use here: each route has its own; leave it out")}
	}
	for _, way := range a.Ways() {
		if err := way.Check(); err != nil {
			return PartError{way, err}
		}
	}
	if len(a.Routes) == 0 {
		return a.checkOurs()
	}
	routes := make([]shape.Route, len(a.Routes))
	for i, r := range a.Routes {
		routes[i] = r.Served()
		if err := a.checkRoute(r); err != nil {
			return PartError{r, err}
		}
		if err := shape.CheckRoute(routes[:i], routes[i]); err != nil {
			return PartError{r, err}
		}
	}
	return a.checkShapes()
}

// checkOurs reports what needs routes of its own.
func (a *API) checkOurs() error {
	for _, way := range a.Authorize {
		if len(way.names()) > 0 {
			return PartError{way, fmt.Errorf("authorize %s %s: no path names a tenant here, so none can be asked about; ask who the caller is, as `authorize GET /me tenant id`", way.Method, way.Path)}
		}
	}
	if len(a.Shapes) > 0 {
		return PartError{a.Shapes[0], fmt.Errorf("shape %s: our own paths have our own names; add routes, as `create POST /callbacks`", a.Shapes[0].Thing)}
	}
	return nil
}

// checkRoute reports what is wrong with a route and those who may use it.
func (a *API) checkRoute(r *Route) error {
	of, ways := r.Served(), r.Authorize
	if len(ways) == 0 {
		ways = a.Authorize
	}
	var used []string
	for _, way := range ways {
		used = append(used, way.names()...)
	}
	if err := of.Check(used...); err != nil {
		return err
	}
	path, err := shape.ParsePath(r.Path)
	if err != nil {
		return err
	}
	for _, way := range ways {
		if err := way.checkNames(&of, path.Names()); err != nil {
			return err
		}
	}
	return nil
}

// checkShapes reports what is wrong with the names of members.
func (a *API) checkShapes() error {
	shapes, err := a.Compile(shape.Types{})
	if err != nil {
		return err
	}
	answers := make(map[string]bool)
	for _, r := range a.Routes {
		of := r.Served()
		does := of.Does()
		answers[does.Answers] = true
		if of := shapes[does.Answers]; does.Name == "rotate" && of != nil && !of.Has("secret") {
			return PartError{r, errors.New("rotate answers with the new secret, and shape endpoint has no name for it; add `secret`")}
		}
	}
	for _, s := range a.Shapes {
		if thing, _ := shape.Thing(s.Thing); !answers[thing] {
			return PartError{s, fmt.Errorf("shape %s is of no use: no route takes one or answers with one; leave it out", thing)}
		}
	}
	return nil
}

// Compile returns the shapes by their things, for an API that calls types so.
func (a *API) Compile(types shape.Types) (map[string]*shape.Shape, error) {
	made := make(map[string]*shape.Shape, len(a.Shapes))
	for _, s := range a.Shapes {
		thing, _ := shape.Thing(s.Thing)
		if made[thing] != nil {
			return nil, PartError{s, fmt.Errorf("shape %s stands twice; keep one of them", thing)}
		}
		fields := make([]shape.Field, len(s.Fields))
		for i, f := range s.Fields {
			fields[i] = shape.Field(f)
		}
		var err error
		if made[thing], err = shape.New(thing, s.In, fields, types); err != nil {
			return nil, PartError{s, err}
		}
	}
	return made, nil
}

// Serve has a server serve the API, whose ways to find out who asks are made by authorize.
// The API has been checked.
func (a *API) Serve(options *callbacks.Options, may *Subscribers, authorize func(*Authorize) callbacks.Authorize) error {
	made := func(ways []*Authorize) (all []callbacks.Authorize) {
		for _, way := range ways {
			all = append(all, authorize(way))
		}
		return all
	}
	options.Authorize = made(a.Authorize)
	for _, way := range a.Ways() {
		if scheme := way.Security(); !slices.Contains(options.Security, scheme) {
			options.Security = append(options.Security, scheme)
		}
	}
	if len(a.Routes) == 0 {
		return nil
	}
	if err := a.checkRequired(may.Required()); err != nil {
		return err
	}
	var err error
	if options.TypeNames, err = may.shaped(); err != nil {
		return err
	}
	if options.Shapes, err = a.Compile(options.TypeNames); err != nil {
		return err
	}
	for _, r := range a.Routes {
		options.Routes = append(options.Routes, callbacks.Route{Route: r.Served(), Authorize: made(r.Authorize)})
	}
	return nil
}

// checkRequired reports a member that each endpoint must have, and that nobody can name.
func (a *API) checkRequired(required []string) error {
	shapes, err := a.Compile(shape.Types{})
	if err != nil || shapes[shape.Endpoint] == nil {
		return err
	}
	for _, name := range required {
		if shapes[shape.Endpoint].Sets(name) {
			continue
		}
		for _, r := range a.Routes {
			path, err := shape.ParsePath(r.Path)
			of := r.Served()
			makes := r.Verb == "create" || r.Verb == "put" && !slices.Contains(path.Names(), shape.NameID)
			if err == nil && makes && of.Does().Takes && (name != "events" || !slices.Contains(path.Names(), shape.NameType)) {
				return fmt.Errorf("subscribers: require %s: shape endpoint has no name for it, so `%s` can make no endpoint; add one", name, &of)
			}
		}
	}
	return nil
}

// shaped returns what types are called in shapes.
func (s *Subscribers) shaped() (shape.Types, error) {
	if s == nil {
		return shape.Types{}, nil
	}
	list := make([]shape.Type, len(s.Types))
	for i, t := range s.Types {
		list[i] = shape.Type{Pattern: t.Pattern, Alias: t.Alias}
	}
	return shape.NewTypes(list...)
}
