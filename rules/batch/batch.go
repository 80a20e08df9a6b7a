// SPDX-License-Identifier: Apache-2.0

// Package batch takes requests apart that hold others: OData's `$batch`, as
// multipart/mixed and as JSON, and the atomic operations of JSON:API. Each of the
// requests within has a method and a path, and its own answer.
//
// Bodies come from strangers; nothing here panics.
package batch

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/tidwall/gjson"
)

// MaxOperations limits how many requests a batch may hold.
const MaxOperations = 1000

var (
	errForm      = errors.New("the batch is neither multipart/mixed, nor JSON with `requests`, nor atomic operations of JSON:API")
	errLong      = fmt.Errorf("the batch holds more than %d requests", MaxOperations)
	errRepeated  = errors.New("the batch has a name twice, and readers disagree about which counts")
	errReference = errors.New("a request within the batch is about an object that another one makes")
	errElsewhere = errors.New("a request within the batch leads to another host")
	errTarget    = errors.New("a request within the batch has no path that can be read")
)

// Operation is one of the requests in a batch.
type Operation struct {
	// Method is the HTTP method. "" means that there is nothing to do: it is about an
	// object that an earlier request of the batch makes.
	Method string
	// Target is where the request leads.
	Target *url.URL
	// Header and Body are those of the request. Body is nil for none.
	Header http.Header
	Body   []byte
	// Unread says why nobody can tell what the request is about, nil if it can be
	// told.
	Unread error

	id string // that others and its answer have
}

// Answer is the answer to an operation. Its Status is 0 if there is none.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Batch is a request that holds others.
type Batch struct {
	// Operations are the requests, in order.
	Operations []Operation

	// answers reads the answers to the operations.
	answers func(b *Batch, status int, contentType string, body []byte) []Answer
	// parts are the parts of a multipart body: how many operations each has, and
	// whether it is a change set.
	parts []part
}

// Parse takes a request apart that was sent to a URL. The error says why it cannot be
// read.
func Parse(body []byte, contentType string, at *url.URL) (*Batch, error) {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		media, _, _ = strings.Cut(strings.ToLower(contentType), ";")
	}
	var b *Batch
	switch root := gjson.ParseBytes(body); {
	case media == "multipart/mixed":
		b, err = parseMultipart(body, params["boundary"], at)
	case !gjson.ValidBytes(body) || !root.IsObject():
		return nil, errForm
	case repeats(root):
		return nil, errRepeated
	case root.Get("requests").IsArray():
		b, err = parseRequests(root.Get("requests"), at)
	case root.Get(`atomic\:operations`).IsArray():
		b, err = parseAtomic(root.Get(`atomic\:operations`), at)
	default:
		return nil, errForm
	}
	if err != nil {
		return nil, err
	}
	b.skipReferences()
	return b, nil
}

// Answers returns the answers to the operations, in their order, as far as the answer
// to the whole has them.
func (b *Batch) Answers(status int, contentType string, body []byte) []Answer {
	all := make([]Answer, len(b.Operations))
	copy(all, b.answers(b, status, contentType, body))
	return all
}

// skipReferences leaves out operations on objects that the batch makes: they are looked
// at anyway.
func (b *Batch) skipReferences() {
	made := make(map[string]bool)
	for i := range b.Operations {
		o := &b.Operations[i]
		if reference, ok := o.reference(); ok && made[reference] {
			o.Method, o.Unread = "", nil
			continue
		}
		if o.Method == http.MethodPost && o.id != "" && o.Unread == nil {
			made[o.id] = true
		}
	}
}

// reference returns the id of the operation whose object this one is about.
func (o *Operation) reference() (id string, ok bool) {
	var reference referenceError
	if errors.As(o.Unread, &reference) && !reference.below {
		return reference.id, true
	}
	return "", false
}

// referenceError is the Unread of an operation on an object that another one makes.
// Below means that it is about something below that object.
type referenceError struct {
	id    string
	below bool
}

func (referenceError) Error() string { return errReference.Error() }

// resolve sets the target of an operation that has a reference to one, as HTTP does
// (RFC 3986), or as JSON has it: there, a path that does not begin with that of the
// service is below it.
func (o *Operation) resolve(at *url.URL, reference string, inJSON bool) {
	if id, found := strings.CutPrefix(strings.TrimPrefix(reference, "/"), "$"); found && !strings.HasPrefix(id, "metadata") {
		id, _, below := strings.Cut(id, "/")
		o.Unread = referenceError{id, below}
		return
	}
	service := at.Path[:strings.LastIndexByte(at.Path, '/')+1]
	if inJSON && strings.HasPrefix(reference, "/") && !strings.HasPrefix(reference, "//") && !strings.HasPrefix(reference, service) {
		reference = "." + reference
	}
	target, err := at.Parse(reference)
	if err != nil {
		// A colon in the first segment, as in Items('a:b'), is none of a scheme.
		target, err = at.Parse("./" + reference)
	}
	switch {
	case err != nil || target.Opaque != "" || !strings.HasPrefix(target.Path, "/"):
		o.Unread = errTarget
	case target.Host != at.Host && !strings.EqualFold(target.Host, at.Host):
		o.Unread = errElsewhere
	default:
		o.Target = target
	}
}

// repeats reports whether an object has a name twice, in whatever case.
func repeats(of gjson.Result) (found bool) {
	seen := make(map[string]bool)
	of.ForEach(func(key, _ gjson.Result) bool {
		name := strings.ToLower(key.Str)
		found = seen[name]
		seen[name] = true
		return !found
	})
	return found
}
