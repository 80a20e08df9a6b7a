// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// compileShow compiles the option `show` with its `gone` and `failed`.
func (r *Resource) compileShow(d syntax.Resource) error {
	var err error
	r.Show, err = compileTemplate(*d.Show)
	switch {
	case err != nil:
		return err
	case r.Show.whole:
		return errors.New("a Show is a request of its own, not a Location")
	case len(r.Show.Names) == 0:
		return fmt.Errorf("it does not say which object; put :id where its id stands, as /%s/:id", d.Name)
	case slices.ContainsFunc(r.Show.Names, func(name string) bool { return !isName(name) }):
		return fmt.Errorf("the names in braces are parts of the object's key: letters, digits and '_', as {id}")
	case !slices.Contains([]string{syntax.ShowFromOperator, syntax.ShowFromCaller, syntax.ShowFromResponse}, d.ShowFrom):
		return fmt.Errorf("show is taken from the operator, the caller or the response, not from %q", d.ShowFrom)
	}
	r.Show.path.slashes = d.Slashes
	if d.Slashes && slices.ContainsFunc(r.Show.path.spans, func(s span) bool { return s.rest }) {
		return errors.New("a name for several segments takes slashes already, and cannot tell them from escaped ones; leave out `slashes`")
	}
	if d.ShowFrom != syntax.ShowFromCaller || !d.Aliases {
		r.Show.callerIDs, r.Show.anywhere = r.callerIDs, true
	}
	if r.gone, err = compileAnswer(d.Gone); err != nil {
		return fmt.Errorf("gone: %w", err)
	}
	if r.failed, err = compileAnswer(d.Failed); err != nil {
		return fmt.Errorf("failed: %w", err)
	}
	return nil
}

// readableAlone refuses a word for which Shows are read that no exchange asks for: only
// an exchange brings the credential of a caller.
func (r *Resource) readableAlone(word string) error {
	if r.ShowFrom != syntax.ShowFromCaller {
		return nil
	}
	return fmt.Errorf("`show as caller` reads a Show with the credential of who has just changed the object, and %s reads Shows when nobody has; "+
		"take one of the two out, or have Shows read with a credential in `upstream`", word)
}

// addShows fills the tree of the requests by which a client may read an object.
func (s *Set) addShows() error {
	for _, r := range s.Resources {
		if r.ShowFrom == syntax.ShowFromCaller || !r.Show.isPath() {
			continue
		}
		rule := &Rule{Resource: r, pattern: r.Show.path, methods: []string{http.MethodGet}, Name: r.showText}
		for i := range r.Show.Names {
			rule.Key = append(rule.Key, KeyPart{Placeholder: i})
		}
		if err := s.shows.add(rule); err != nil {
			return PartError{r.Name, "show", fmt.Errorf("resource %s: show: %w", r.Name, err)}
		}
	}
	return nil
}

// errShowFailed is returned for an answer that is no Show, as `failed` says.
var errShowFailed = errors.New("the API answered Show with what `failed` of its show takes for an error")

// Asks returns the request of Show as it is written, without its placeholders' values:
// "GET /items/:id".
func (r *Resource) Asks() string { return r.showText }

// Read reads a Show, and interprets the answer.
func (r *Resource) Read(ctx context.Context, upstream *show.Upstream, request show.Request) (show.Show, error) {
	answer, err := upstream.Read(ctx, request)
	if err == nil && isRedirect(answer.Status) {
		answer, err = r.follow(ctx, upstream, request, answer)
	}
	if err != nil {
		return answer, err
	}
	return r.Interpret(answer)
}

// Interpret returns an answer to Show with the status that it means: an API that
// answers everything with 200 says only in the body that there is no such object,
// or that it could not look.
func (r *Resource) Interpret(answer show.Show) (show.Show, error) {
	if r.gone == nil && r.failed == nil {
		return answer, nil
	}
	var json []byte
	if r.gone.reads() || r.failed.reads() {
		json = answer.Document().JSON()
	}
	usual := answer.Status >= 200 && answer.Status <= 299
	switch {
	case r.gone != nil && r.gone.lists(answer.Status, usual) && r.gone.holds(answer.Status, json):
		answer.Status = http.StatusNotFound
	case r.failed != nil && r.failed.lists(answer.Status, usual) && r.failed.holds(answer.Status, json):
		return show.Show{}, errShowFailed
	}
	return answer, nil
}

// Canonical returns the key that an object has according to its Show: key, with
// the id that the Show has in place of the last part.
func (r *Resource) Canonical(key event.Key, document event.Document) event.Key {
	own, _ := r.Own(key, document)
	return own
}

// Own is Canonical, and reports whether the Show has an id.
func (r *Resource) Own(key event.Key, document event.Document) (event.Key, bool) {
	for _, v := range r.ids {
		if v.Source != FromResponse {
			continue
		}
		id := v.TakeOne(body.Scalar(document.JSON(), v.Name))
		if id == "" {
			continue
		}
		parts := key.Parts()
		parts[len(parts)-1] = id
		if own, err := r.NewKey(parts...); err == nil {
			return own, true
		}
	}
	return key, false
}
