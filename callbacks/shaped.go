// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/shape"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// Route is a route of an API that is not in our shape. It has been checked, see
// [shape.Route].
type Route struct {
	shape.Route
	// Authorize finds out who asks. Default: as on all routes.
	Authorize []Authorize
}

// actions are what the verbs do to things.
var actions = map[string]map[string]action{
	shape.Endpoint: {
		"create": once(createEndpoint), "put": once(putEndpoint), "list": listEndpoints, "show": showEndpoint, "update": patchEndpoint,
		"delete": deleteEndpoint, "pause": pauseEndpoint, "resume": resumeEndpoint, "rotate": once(rotateSecret), "test": testEndpoint, "echo": echoType,
		"recover": doRecover, "replay": doReplay, "describe": showOpenAPI,
	},
	shape.Delivery: {"list": listDeliveries, "show": showDelivery, "resend": resendDelivery},
	shape.Event:    {"list": listEvents, "show": showEvent},
	shape.Object:   {"resend": resendObject},
}

// shaped is what a route in another shape has beside its action: the actions are the
// same, and requests and answers are translated around them.
type shaped struct {
	does *shape.Verb
	// status is that of success, 0 for the usual one.
	status int
	// object is the resource whose object the path names.
	object string
	// shape is what members are called, nil for what we call them; and form is what
	// they are called in a form.
	shape, form *shape.Shape
	// words is the shape in whose names problems are told.
	words *shape.Shape
	types shape.Types
	// shown is the path at which an endpoint is shown, nil if it is at none.
	shown *shape.Path

	// given is the body of the request that is under way.
	given *shape.Given
}

// shapedRoutes returns the routes that the configuration says.
func (s *Server) shapedRoutes() []served {
	var shown *shape.Path
	all := make([]served, 0, len(s.options.Routes))
	for i := range s.options.Routes {
		of := &s.options.Routes[i]
		does := of.Does()
		rt := route{path: of.Path, methods: make(map[string]operation)}
		for _, method := range of.Methods {
			rt.methods[method] = operation{do: actions[does.Thing][does.Name]}
		}
		made := serve(rt)
		made.authorize = of.Authorize
		made.shaped = &shaped{
			does: does, status: of.Status, object: of.Object, types: s.options.TypeNames,
			shape: s.options.Shapes[does.Answers], words: s.options.Shapes[does.Thing],
		}
		if made.shaped.form = made.shaped.shape; made.shaped.form == nil && does.Takes {
			made.shaped.form = shape.Own(does.Answers, s.options.TypeNames)
		}
		if shown == nil && does.Name == "show" && does.Thing == shape.Endpoint {
			shown = &made.parsed
		}
		all = append(all, made)
	}
	for i := range all {
		all[i].shaped.shown = shown
	}
	return all
}

// do does what a request asks for, and translates what is answered.
func (s *shaped) do(c *call, do action) (*answer, error) {
	own := *s
	c.shaped = &own
	a, err := do(c)
	if err != nil {
		return nil, own.problem(err)
	}
	return own.answer(c, a)
}

// members reads the members of an endpoint that a request sends, in our names. They are
// read once for a request.
func (c *call) members(types ...string) (map[string]any, error) {
	if c.shaped == nil {
		sent, err := body(c.w, c.r, true, types...)
		return sent.members, err
	}
	if c.shaped.given == nil {
		if err := c.shaped.read(c, types...); err != nil {
			return nil, err
		}
	}
	return c.shaped.given.Members, nil
}

// read reads a body, JSON or a form, and translates it.
func (s *shaped) read(c *call, types ...string) error {
	text, kind, err := read(c.w, c.r, true, append(types, typeForm)...)
	if err != nil {
		return err
	}
	var body map[string]any
	if kind == typeForm {
		body, err = s.readForm(c.r, text)
	} else {
		var sent document
		sent, err = documentOf(text)
		body = sent.members
	}
	if err != nil {
		return err
	}
	s.given = &shape.Given{Members: body}
	if s.shape != nil || kind == typeForm {
		if s.given = s.form.In(body); len(s.given.Problems) > 0 {
			return theirProblem(s.given.Problems)
		}
	}
	return s.addType(c)
}

// readForm reads a form. Browsers send forms from pages of any site, with the cookies of
// this one; JSON they do not.
func (s *shaped) readForm(r *http.Request, text []byte) (map[string]any, error) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		return nil, crossSite.problem("send JSON, from a site that is allowed to")
	}
	body, problems, err := s.form.Form(text)
	if err != nil {
		return nil, malformed.problem("the body is no form that can be read")
	}
	if len(problems) > 0 {
		return nil, theirProblem(problems)
	}
	return body, nil
}

// addType has a request that makes or replaces what its path names by a type ask for
// that type. A body that says another is refused.
func (s *shaped) addType(c *call) error {
	name, named := c.values[shape.NameType]
	if !named || s.does.Name != "put" && s.does.Name != "create" {
		return nil
	}
	pattern, known := s.types.Pattern(name)
	said, saysIt := s.given.Members["events"]
	list, _ := said.([]any)
	switch {
	case !known:
		return notFound.problem("there is no such thing, or it is not yours")
	case saysIt && (len(list) != 1 || list[0] != pattern):
		return invalid.in(FieldProblem{"/events", "the path says another type", "leave it out, or send the same"})
	}
	s.given.Members["events"] = []any{pattern}
	return nil
}

// theirProblem returns the problem of a body whose members are wrong.
func theirProblem(problems []shape.Problem) *Problem {
	fields := make([]FieldProblem, len(problems))
	for i, of := range problems {
		fields[i] = FieldProblem(of)
	}
	p := malformed.in(fields...)
	p.theirs = true
	return p
}

// problem translates what is wrong: its pointers are in our names.
func (s *shaped) problem(err error) error {
	p, ours := problemOf(err)
	if ours || p.theirs || len(p.Errors) == 0 || s.words == nil {
		return err
	}
	given := s.given
	if given == nil || !given.Translates() {
		given = s.words.In(nil)
	}
	translated := *p
	translated.theirs, translated.Errors = true, make([]FieldProblem, len(p.Errors))
	for i, field := range p.Errors {
		field.Pointer = given.Pointer(field.Pointer)
		translated.Errors[i] = field
	}
	slices.SortStableFunc(translated.Errors, func(a, b FieldProblem) int { return strings.Compare(a.Pointer, b.Pointer) })
	return &translated
}

// answer translates an answer.
func (s *shaped) answer(c *call, a *answer) (*answer, error) {
	if s.status != 0 && a.status >= 200 && a.status <= 299 {
		a.status = s.status
	}
	if a.status == http.StatusNoContent || a.status == http.StatusResetContent {
		a.body = nil
	}
	if s.shape == nil || a.body == nil {
		return a, nil
	}
	text, err := encode(a.body)
	if err != nil {
		return nil, err
	}
	var ours map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&ours); err != nil {
		return nil, err
	}
	if !s.does.Lists {
		a.body = s.shape.Out(ours)
		return a, nil
	}
	list, isList := ours["data"].([]any)
	if !isList {
		return nil, errors.New("an answer has no list")
	}
	a.body = s.shape.OutList(list)
	if next, more := ours["next"].(string); more {
		a.set("Link", "<"+c.following(next)+`>; rel="next"`)
	}
	return a, nil
}

// following returns the target of the following page of a list.
func (c *call) following(cursor string) string {
	query := c.r.URL.Query()
	query.Set("cursor", cursor)
	return c.link(c.r.URL.EscapedPath()) + "?" + query.Encode()
}

// shownAt returns the path at which an endpoint is shown, "" if it is at none.
func (c *call) shownAt(e *subscribers.Endpoint) string {
	if c.shaped == nil {
		return c.link("/endpoints/" + e.ID)
	}
	if c.shaped.shown == nil {
		return ""
	}
	path, err := c.shaped.shown.Fill(func(name string) string {
		if name == shape.NameID {
			return e.ID
		}
		return c.values[name]
	})
	if err != nil {
		return "" // its names are not all known
	}
	return c.link(path)
}

// eventType returns the type of event that a parameter names. Of a group, lists would be
// empty without a word.
func (c *call) eventType(name string) (string, error) {
	name = c.options.TypeNames.PatternOf(name)
	if strings.HasSuffix(name, "*") {
		return "", malformed.in(FieldProblem{"?type", "it is a group of types", "name one type"})
	}
	return name, nil
}
