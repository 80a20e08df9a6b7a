// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// methods are those that OpenAPI knows.
var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace,
}

var (
	variable = regexp.MustCompile(`\{([^{}]*)\}`)
	// componentName is what OpenAPI allows.
	componentName = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)
	// anyVariable stands for a variable: paths that differ only in their names are the same.
	anyVariable = "{}"
)

// check returns what is wrong with a description.
func (d Description) check() error {
	if d.Title == "" || d.Version == "" {
		return fmt.Errorf("the description needs a title and a version")
	}
	for name, schema := range d.Schemas {
		if !componentName.MatchString(name) || name == problemName {
			return fmt.Errorf("the schema %q cannot have this name", name)
		}
		if err := checkSchema(schema); err != nil {
			return fmt.Errorf("the schema %s %w", name, err)
		}
	}
	if err := checkSchema(d.Problem); err != nil {
		return fmt.Errorf("problem details %w", err)
	}
	for _, s := range d.Security {
		if !componentName.MatchString(s.Name) || (s.Scheme == "") == (s.Header == "") {
			return fmt.Errorf("the security scheme %q needs a name, and either a scheme or a header", s.Name)
		}
	}
	if err := d.checkRoutes(); err != nil {
		return err
	}
	return d.checkWebhooks()
}

func (d Description) checkRoutes() error {
	seen, ids, names := make(map[string]bool), make(map[string]bool), make(map[string]string)
	for _, r := range d.Routes {
		where := r.Method + " " + r.Path
		if err := r.check(); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		shape := variable.ReplaceAllString(r.Path, anyVariable)
		if seen[r.Method+" "+shape] {
			return fmt.Errorf("%s: it is there twice", where)
		}
		if names[shape] != "" && names[shape] != r.Path {
			return fmt.Errorf("%s: the same path is called %s elsewhere", where, names[shape])
		}
		if ids[r.ID] {
			return fmt.Errorf("%s: the id %s is another's", where, r.ID)
		}
		seen[r.Method+" "+shape], ids[r.ID], names[shape] = true, true, r.Path
	}
	return nil
}

func (r Route) check() error {
	switch {
	case !slices.Contains(methods, r.Method):
		return fmt.Errorf("OpenAPI has no method %q", r.Method)
	case !strings.HasPrefix(r.Path, "/"):
		return fmt.Errorf("the path must begin with /")
	case r.ID == "" || r.Summary == "":
		return fmt.Errorf("it needs an id and a summary")
	case len(r.Answers) == 0:
		return fmt.Errorf("it needs an answer")
	}
	if err := r.checkParameters(); err != nil {
		return err
	}
	if r.Body != nil {
		if err := r.Body.check(); err != nil {
			return fmt.Errorf("the body %w", err)
		}
	}
	statuses := slices.Clone(r.Problems)
	for _, a := range r.Answers {
		if a.Text == "" {
			return fmt.Errorf("answer %d needs a text", a.Status)
		}
		bodies := a.Others
		if a.Body != nil {
			bodies = append([]Content{*a.Body}, bodies...)
		}
		for _, body := range bodies {
			if err := body.check(); err != nil {
				return fmt.Errorf("answer %d %w", a.Status, err)
			}
		}
		statuses = append(statuses, a.Status)
	}
	slices.Sort(statuses)
	for i, status := range statuses {
		if http.StatusText(status) == "" || i > 0 && status == statuses[i-1] {
			return fmt.Errorf("the status %d is unknown, or there twice", status)
		}
	}
	return nil
}

// checkParameters compares the variables of the path with the parameters.
func (r Route) checkParameters() error {
	missing := make(map[string]bool)
	for _, found := range variable.FindAllStringSubmatch(r.Path, -1) {
		missing[found[1]] = true
	}
	seen := make(map[string]bool)
	for _, p := range r.Parameters {
		key := string(p.In) + " " + p.Name
		switch {
		case p.Name == "" || !slices.Contains([]Place{InPath, InQuery, InHeader}, p.In) || seen[key]:
			return fmt.Errorf("the parameter %q is nowhere, or there twice", p.Name)
		case p.In == InPath && !missing[p.Name]:
			return fmt.Errorf("the path has no {%s}", p.Name)
		case p.In == InPath:
			delete(missing, p.Name)
		}
		if err := checkSchema(p.Schema); err != nil {
			return fmt.Errorf("the parameter %s %w", p.Name, err)
		}
		seen[key] = true
	}
	for name := range missing {
		return fmt.Errorf("the variable {%s} is no parameter", name)
	}
	return nil
}

func (c Content) check() error {
	if c.Example != nil && !json.Valid(c.Example) {
		return fmt.Errorf("has an example that is not JSON")
	}
	return checkSchema(c.Schema)
}

// checkSchema checks that a schema is one at all: an object, or true or false.
func checkSchema(schema json.RawMessage) error {
	if schema == nil {
		return nil
	}
	var value any
	if err := json.Unmarshal(schema, &value); err != nil {
		return fmt.Errorf("has a schema that is not JSON: %w", err)
	}
	switch value.(type) {
	case map[string]any, bool:
		return nil
	default:
		return fmt.Errorf("has a schema that is no object")
	}
}

func (d Description) checkWebhooks() error {
	seen := make(map[string]bool)
	for _, w := range d.Webhooks {
		if w.Type == "" || seen[w.Type] {
			return fmt.Errorf("the type of event %q has no name, or is there twice", w.Type)
		}
		if err := w.Body.check(); err != nil {
			return fmt.Errorf("the type of event %s %w", w.Type, err)
		}
		seen[w.Type] = true
	}
	return nil
}
