// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// Do does what a request of an operator asks for, as Serve does, for pages within the
// process, where the operator has a name. The request has the path, the parameters and the
// body of one of our routes. T is what the route answers with: one of the views, or of the
// tenants' API. Its errors are of the type [*Refused]. What is changed stands in the audit
// with the operator's name.
func Do[T any](s *Server, operator string, r *http.Request) (T, error) {
	var done T
	answered := &taken{header: http.Header{}, status: http.StatusOK}
	r = r.WithContext(subscribers.WithOperator(r.Context(), operator))
	err := s.Serve(answered, r)
	if err == nil {
		err = answered.refused()
	}
	if err == nil {
		err = s.noteDone(r)
	}
	if err != nil {
		return done, refusedOf(err)
	}
	value, is := answered.value.(T)
	switch {
	case is:
		return value, nil
	case answered.value != nil:
		err = fmt.Errorf("the answer is %T, not %T", answered.value, done)
	case answered.text.Len() > 0:
		err = json.Unmarshal(answered.text.Bytes(), &done)
	}
	if err != nil {
		return done, refusedOf(fmt.Errorf("reading the answer to %s: %w", r.URL.Path, err))
	}
	return done, nil
}

// Refused is why a request was not done.
type Refused struct { //nolint:errname // as callbacks.Problem: an answer, in words
	// Status is an HTTP status, and Detail says why, and often what to do.
	Status int
	Detail string
}

// Error implements error.
func (r *Refused) Error() string { return r.Detail }

// refusedOf returns an error of Serve as a [*Refused].
func refusedOf(err error) error {
	var refused *Refused
	var api caddy.APIError
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.As(refusal(err), &api):
		return &Refused{api.HTTPStatus, strings.TrimPrefix(api.Err.Error(), errBadQuery.Error()+": ")}
	}
	return &Refused{http.StatusInternalServerError, err.Error()}
}

// taken takes an answer within the process: a value, or the text of the tenants' API.
type taken struct {
	header http.Header
	status int
	value  any
	text   bytes.Buffer
}

func (t *taken) Header() http.Header                { return t.header }
func (t *taken) WriteHeader(status int)             { t.status = status }
func (t *taken) Write(text []byte) (n int, e error) { return t.text.Write(text) }

// refused returns why the tenants' API has refused a request, nil if it has not. An answer
// that is a value is one, whatever its status: that the queue is failing, for example.
func (t *taken) refused() error {
	if t.value != nil || t.status < http.StatusBadRequest {
		return nil
	}
	var problem struct {
		Title, Detail string
		Errors        []struct{ Detail, Remedy string }
	}
	if err := json.Unmarshal(t.text.Bytes(), &problem); err != nil {
		return &Refused{t.status, http.StatusText(t.status)}
	}
	detail := problem.Title
	if problem.Detail != "" {
		detail += ": " + problem.Detail
	}
	for _, of := range problem.Errors {
		if of.Remedy != "" {
			detail += "; " + of.Remedy
		}
	}
	return &Refused{t.status, detail}
}

// notedActions are the routes whose actions stand in the audit of the operators themselves
// if it is known who does them. Those of the tenants' API, of keys, users and endpoints that
// are held, stand there anyway.
var notedActions = []string{"look", "list", "dismiss", "resend", "recover", "replay", "cancel", "retry"}

// noteDone has it in the audit what an operator has done.
func (s *Server) noteDone(r *http.Request) error {
	segments := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	action := segments[len(segments)-1]
	if r.Method == http.MethodGet || !slices.Contains(notedActions, action) || len(segments) > 2 && action != "retry" {
		return nil
	}
	store, err := s.store()
	if err != nil {
		return err
	}
	object, changed := meant(r.URL.Query())
	if len(segments) > 2 {
		object = segments[2]
	}
	audited := subscribers.Audited{
		At: time.Now().UTC(), Who: subscribers.OperatorName, By: subscribers.OperatorOf(r.Context()), Action: "operator." + action, Object: object, Changed: changed, From: r.RemoteAddr,
	}
	record, err := audited.Record("", subscribers.DefaultAuditFor)
	if err == nil {
		_, err = store.Change(r.Context(), record)
	}
	return err
}

// meant returns what the parameters of an action name, and how it was narrowed besides.
func meant(values url.Values) (object string, narrowed []string) {
	for _, name := range []string{"object", "event", "endpoint", "resource", "id"} {
		if object = values.Get(name); object != "" {
			values.Del(name)
			break
		}
	}
	for name, of := range values {
		if name != "cursor" && name != "limit" && name != "wait" {
			narrowed = append(narrowed, name+"="+strings.Join(of, ","))
		}
	}
	slices.Sort(narrowed)
	return object, narrowed
}
