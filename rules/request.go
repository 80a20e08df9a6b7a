// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/rules/effect"
)

// Reasons why a request cannot be read for sure. Operators see them with the
// unresolved intent.
var (
	errLong       = errors.New("the request's body is longer than `capture`")
	errCut        = errors.New("the request's body did not arrive whole")
	errUnread     = errors.New("the request's body cannot be read")
	errTwoMeaning = errors.New("the request has a value that readers disagree about: a repeated name, one in another case, or a number that no float holds")
	errTwoRules   = errors.New("the request matches several rules, depending on how a value is read that readers disagree about")
)

// Request is a request as rules see it. The body is read only if a rule needs it,
// and only up to Limit; the API gets the whole body all the same.
type Request struct {
	// HTTP is the request. Its body is replaced when it is read ahead.
	HTTP *http.Request
	// Method is the method of the request, or the one that overrides it. Find sets
	// it to the one whose rule it has found.
	Method string
	// Limit limits how much of the body is read ahead, in bytes.
	Limit int64
	// Overrides say where a POST may name another method that it stands for.
	Overrides []Value

	// noted are the words that have noted something of the request: rules may be judged
	// again for another resource.
	noted []*effect.Word

	looked  bool
	reading body.Reading
	problem error // why there is no reading
	// batch is true once a rule looked for a member of an object where the body is
	// an array.
	batch bool
}

// read reads the request's body.
//
// Reading ahead holds the request back until its body has arrived, and answers a
// client that expects "100 Continue" in the API's place (RFC 9110, section
// 10.1.1). Only requests whose path matches a rule with a `request:` value are
// read ahead: nothing but the body shows what they ask for.
func (r *Request) read() (body.Reading, error) {
	if r.looked {
		return r.reading, r.problem
	}
	r.looked = true
	r.reading, r.problem = r.readAhead()
	return r.reading, r.problem
}

// raw returns the body as it came, nil for none.
func (r *Request) raw() ([]byte, error) {
	if r.HTTP.Body == nil || r.HTTP.Body == http.NoBody || r.HTTP.ContentLength == 0 {
		return nil, nil
	}
	if r.HTTP.ContentLength > r.Limit {
		return nil, errLong
	}
	// An error is no loss: whoever reads on gets it again.
	raw, err := io.ReadAll(io.LimitReader(r.HTTP.Body, r.Limit+1))
	r.HTTP.Body = &replayed{Reader: io.MultiReader(bytes.NewReader(raw), r.HTTP.Body), Closer: r.HTTP.Body}
	switch {
	case int64(len(raw)) > r.Limit:
		return nil, errLong
	case err != nil:
		return nil, errCut
	}
	return raw, nil
}

// plain returns the body without its Content-Encoding.
func (r *Request) plain() ([]byte, error) {
	raw, err := r.raw()
	if err != nil {
		return nil, err
	}
	plain, err := body.DecodeRequest(raw, strings.Join(r.HTTP.Header["Content-Encoding"], ","), r.Limit)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errUnread, err)
	case len(r.HTTP.Header["Content-Type"]) > 1:
		return nil, fmt.Errorf("%w: it has several Content-Types", errUnread)
	}
	return plain, nil
}

func (r *Request) readAhead() (body.Reading, error) {
	raw, err := r.raw()
	if err != nil || len(raw) == 0 {
		return body.Reading{}, err
	}
	kinds := r.HTTP.Header["Content-Type"]
	reading, err := body.Read(raw, strings.Join(r.HTTP.Header["Content-Encoding"], ","), strings.Join(kinds[:min(1, len(kinds))], ""), r.Limit)
	switch {
	case err != nil:
		return body.Reading{}, fmt.Errorf("%w: %w", errUnread, err)
	case len(kinds) > 1:
		return body.Reading{}, fmt.Errorf("%w: it has several Content-Types", errUnread)
	}
	return reading, nil
}

// replayed is a body whose beginning was read already.
type replayed struct {
	io.Reader
	io.Closer
}

// texts returns what readers may find at v in the request, other than in its path.
// With list, v may hold several values. The error says why nobody can tell.
func (r *Request) texts(v Value, list bool) (body.Texts, error) {
	var found body.Texts
	switch v.Source {
	case FromRequest:
		reading, err := r.read()
		if err != nil {
			return found, err
		}
		if reading.IsBatch() && v.inObject() {
			r.batch = true
		}
		for i := range reading.Documents {
			texts := reading.Documents[i].At(v.Name, list, MaxKeys)
			if i == 0 {
				found = texts
			} else {
				found.Join(texts)
			}
		}
		found.Unsure = found.Unsure || reading.Doubt != nil
	case FromQuery:
		found = queryTexts(r.HTTP.URL.RawQuery, v.Name)
	case FromHeader:
		if v.isHost() {
			found.Add(hostName(r.HTTP.Host))
			break
		}
		found = headerTexts(r.HTTP.Header, v.Name)
	case FromResponse, FromPath, FromLocation:
	}
	if found.Unknown {
		return found, errTwoMeaning
	}
	if !list && len(found.All) == 0 {
		found.Add("")
	}
	return found, nil
}

// Texts returns all strings and numbers that readers may find at v in the request. It
// does not know the placeholders of a path. Unsure is nil if they find the same; the
// error says why nobody can tell what they find.
func (r *Request) Texts(v Value) (texts []string, unsure, err error) {
	found, err := r.texts(v, true)
	if err != nil {
		return nil, nil, err
	}
	if found.Unsure {
		unsure = errTwoMeaning
	}
	for _, text := range found.All {
		if text != "" {
			texts = append(texts, text)
		}
	}
	return texts, unsure, nil
}

// Rows returns the texts that readers may find at some places in the request's body and
// that belong together, one row for each element of the array that the places have in
// common. Unsure and the error are those of [Request.Texts].
func (r *Request) Rows(places []Value) (rows [][]string, unsure, err error) {
	reading, err := r.read()
	if err != nil {
		return nil, nil, err
	}
	paths := make([]string, len(places))
	for i, v := range places {
		paths[i] = v.Name
	}
	if reading.Doubt != nil {
		unsure = errTwoMeaning
	}
	for i := range reading.Documents {
		found, err := reading.Documents[i].Rows(paths, MaxKeys)
		switch {
		case err != nil:
			return nil, nil, err
		case found.Unknown:
			return nil, nil, errTwoMeaning
		case found.Unsure, i > 0 && !slices.EqualFunc(rows, found.All, slices.Equal):
			unsure = errTwoMeaning
		}
		rows = append(rows, found.All...)
	}
	return rows, unsure, nil
}

// Text returns the one string or number that all readers find at v, or "".
func (r *Request) Text(v Value) string {
	texts, unsure, err := r.Texts(v)
	if len(texts) != 1 || unsure != nil || err != nil {
		return ""
	}
	return texts[0]
}
