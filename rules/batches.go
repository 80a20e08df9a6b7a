// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/batch"
)

// maxFields limits the fields of a batch's header, taken as often as it has requests: each
// of them gets a copy, and a stranger chooses both. Clients send some thirty.
const maxFields = 200 * batch.MaxOperations

var errFields = errors.New("the batch has too many fields in its header for so many requests")

// Batched is a request to a path of batches.
type Batched struct {
	// Batch takes the answer apart. It is nil if the request cannot be read: then
	// Match stands for all that it may be about.
	Batch *batch.Batch
	Match Match
	// Members are the requests within that a rule matches, by resource.
	Members [][]Member
	// Unmatched are those without a rule that may change something.
	Unmatched []*http.Request
}

// DeclareBatches sets the paths whose requests hold others.
func (s *Set) DeclareBatches(paths []string) error {
	for _, p := range paths {
		if !strings.HasPrefix(p, "/") || strings.ContainsAny(p, "?#:*") || path.Clean(p) != p {
			return fmt.Errorf("batch %q: it takes the whole path of batches, as /odata/$batch", p)
		}
	}
	s.batches = paths
	return nil
}

// FindBatch takes a request apart that is sent to a path of batches; nil for any other.
// It holds the request back until its body has arrived.
func (s *Set) FindBatch(request *Request) *Batched {
	if len(s.batches) == 0 || request.HTTP.Method != http.MethodPost || !s.isBatch(request.HTTP.URL.Path) {
		return nil
	}
	found := new(Batched)
	// A slash at the end would be a segment to links within.
	at := *request.HTTP.URL
	at.Path, at.RawPath = path.Clean(at.Path), ""
	plain, err := request.plain()
	if err == nil {
		err = body.SpendOnRequest(len(plain), func() (err error) {
			found.Batch, err = batch.Parse(plain, request.HTTP.Header.Get("Content-Type"), &at)
			return err
		})
	}
	if err == nil && fieldsOf(request.HTTP.Header)*len(found.Batch.Operations) > maxFields {
		found.Batch, err = nil, errFields
	}
	if err != nil {
		found.Match = s.unread(request, err)
		return found
	}
	for i := range found.Batch.Operations {
		s.findOperation(request, found, i)
	}
	return found
}

// fieldsOf returns how many fields a header has, those of the same name counted each.
func fieldsOf(header http.Header) (n int) {
	for _, values := range header {
		n += len(values)
	}
	return n
}

// findOperation finds the rule of one request in a batch.
func (s *Set) findOperation(request *Request, found *Batched, i int) {
	o := &found.Batch.Operations[i]
	if o.Method == "" {
		return
	}
	if o.Unread != nil {
		if !IsSafe(o.Method) {
			found.Members = addMember(found.Members, Member{Index: i, Request: *request, Match: s.unread(request, o.Unread)})
		}
		return
	}
	inner := innerRequest(request.HTTP, o)
	m := Member{Index: i, Request: Request{HTTP: inner, Method: o.Method, Limit: request.Limit, Overrides: request.Overrides}}
	switch {
	case s.Find(&m.Request, &m.Match) || m.Match.Unread != nil:
		found.Members = s.addEach(found.Members, m)
	case !IsSafe(o.Method) && !s.Ignores(&m.Request):
		found.Unmatched = append(found.Unmatched, inner)
	}
}

// unread is the match of what nobody can read: it may be about any resource, and stands
// for the first.
func (s *Set) unread(request *Request, why error) Match {
	return Match{
		Rule:   &Rule{Name: "batch " + path.Clean(request.HTTP.URL.Path), Kind: event.KindUpdate, Resource: s.Resources[0]},
		Unread: why,
	}
}

// isBatch reports whether a path is one of batches, in whatever spelling.
func (s *Set) isBatch(given string) bool {
	given = path.Clean(given)
	for _, p := range s.batches {
		if strings.EqualFold(p, given) {
			return true
		}
	}
	return false
}

// innerRequest returns a request in a batch as a server would have it. What the batch
// says in its header holds for all, unless they say otherwise.
func innerRequest(outer *http.Request, o *batch.Operation) *http.Request {
	r := outer.Clone(outer.Context())
	for name := range r.Header {
		if strings.HasPrefix(name, "Content-") {
			delete(r.Header, name)
		}
	}
	for name, values := range o.Header {
		r.Header[name] = values
	}
	r.Method, r.URL, r.RequestURI = o.Method, o.Target, o.Target.RequestURI()
	r.Body, r.ContentLength = http.NoBody, int64(len(o.Body))
	if len(o.Body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(o.Body))
	}
	return r
}
