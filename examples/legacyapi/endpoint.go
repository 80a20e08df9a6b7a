// SPDX-License-Identifier: Apache-2.0

package legacyapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// maxBody is the largest request body that is read, in bytes.
const maxBody = 1 << 20

// action implements one method of an endpoint. It runs while the API is locked,
// with every due payment settled.
type action func(r *http.Request, body []byte) (reply, error)

// methods are the actions of an endpoint by method.
type methods map[string]action

// reply is an answer to a request.
type reply struct {
	status   int
	location string
	body     any // nil for none
}

// endpoint serves one path pattern.
type endpoint struct {
	api     *api
	methods methods
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	act, ok := e.methods[r.Method]
	if !ok && r.Method == http.MethodHead {
		act, ok = e.methods[http.MethodGet]
	}
	if !ok {
		w.Header().Set("Allow", strings.Join(slices.Sorted(maps.Keys(e.methods)), ", "))
		writeReply(w, errMethod.reply())
		return
	}
	// Read the body before taking the lock: a slow client must not hold up the
	// others.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		writeReply(w, refusalOf(err).reply())
		return
	}
	writeReply(w, e.do(act, r, body))
}

func (e *endpoint) do(act action, r *http.Request, body []byte) reply {
	e.api.mu.Lock()
	defer e.api.mu.Unlock()
	e.api.settle()
	answer, err := act(r, body)
	if err != nil {
		return refusalOf(err).reply()
	}
	return answer
}

// refusalOf turns an error into the refusal that the client gets.
func refusalOf(err error) *refusal {
	var refused *refusal
	if errors.As(err, &refused) {
		return refused
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return errTooLarge
	}
	return badRequest("cannot be read")
}

func writeReply(w http.ResponseWriter, answer reply) {
	if answer.location != "" {
		w.Header().Set("Location", answer.location)
	}
	if answer.body == nil {
		w.WriteHeader(answer.status)
		return
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(answer.body); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(answer.status)
	_, _ = w.Write(text.Bytes()) // a client may be gone; that is no error here
}

// show answers with one object, wrapped in its resource's name.
func show(resource string, object any) (reply, error) {
	return reply{status: http.StatusOK, body: map[string]any{resource: object}}, nil
}

// created answers with a new object and its location.
func created(resource, id string, object any) (reply, error) {
	return reply{
		status:   http.StatusCreated,
		location: "/" + resource + "/" + id,
		body:     map[string]any{resource: object},
	}, nil
}

// decode decodes the object under the resource's name into the target: fields
// that the body does not name stay as they are.
func decode(resource string, body []byte, into any) error {
	var wrapper map[string]json.RawMessage
	if err := json.Unmarshal(body, &wrapper); err != nil {
		var mismatch *json.UnmarshalTypeError
		if errors.As(err, &mismatch) {
			return invalid(resource, "must be an object in a JSON object")
		}
		return badRequest("is not JSON")
	}
	object, ok := wrapper[resource]
	if !ok || bytes.Equal(object, []byte("null")) {
		return invalid(resource, "is missing: wrap the object, as in {%q:{…}}", resource)
	}
	if err := json.Unmarshal(object, into); err != nil {
		var mismatch *json.UnmarshalTypeError
		if errors.As(err, &mismatch) && mismatch.Field != "" {
			return invalid(fieldName(mismatch.Field), "must be a JSON %s", jsonName(mismatch.Type.Kind().String()))
		}
		return invalid(resource, "must be an object")
	}
	return nil
}

// fieldName returns the path of a field by the names that the client knows. The
// decoder prepends the name of an embedded struct, the only name with capital
// letters.
func fieldName(path string) string {
	if first, rest, ok := strings.Cut(path, "."); ok && first != strings.ToLower(first) {
		return rest
	}
	return path
}

// jsonName returns the JSON name of a Go kind.
func jsonName(kind string) string {
	switch kind {
	case "struct":
		return "object"
	case "int64":
		return "whole number"
	default:
		return kind
	}
}

// refusal is an error that the client gets, in the form
// {"errors":{"FIELD":["what is wrong"]}}.
type refusal struct {
	status int
	field  string
	what   string
}

var (
	errNotFound = &refusal{http.StatusNotFound, "id", "not found"}
	errMethod   = &refusal{http.StatusMethodNotAllowed, "method", "not allowed"}
	errTooLarge = &refusal{http.StatusRequestEntityTooLarge, "body", "is too large"}
)

// badRequest refuses a body that cannot be understood at all.
func badRequest(what string) *refusal {
	return &refusal{http.StatusBadRequest, "body", what}
}

// invalid refuses a field's value.
func invalid(field, format string, args ...any) *refusal {
	return &refusal{http.StatusUnprocessableEntity, field, fmt.Sprintf(format, args...)}
}

func (r *refusal) Error() string {
	return r.field + " " + r.what
}

func (r *refusal) reply() reply {
	return reply{
		status: r.status,
		body:   map[string]any{"errors": map[string][]string{r.field: {r.what}}},
	}
}
