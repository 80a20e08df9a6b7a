// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
)

// api is the subscribers' API for one person.
type api struct {
	server *callbacks.Server
	caller callbacks.Caller
	// of is the person's own request.
	of *http.Request
}

// request is one that the API is asked.
type request struct {
	method string
	// path are the segments of the path, of which each may be any text.
	path  []string
	query url.Values
	// members are the body, nil for none.
	members map[string]any
	// etag is the state that is to be changed, "" for any; key is an Idempotency-Key.
	etag, key string
}

// get returns a request that reads.
func get(path ...string) request { return request{method: http.MethodGet, path: path} }

// post returns a request that does something.
func post(path ...string) request { return request{method: http.MethodPost, path: path} }

// with adds parameters that are not empty.
func (q request) with(pairs ...string) request {
	q.query = url.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			q.query.Set(pair[0], pair[1])
		}
	}
	return q
}

// of returns the request as HTTP has it, below a path.
func (q request) of(ctx context.Context, path string) (*http.Request, error) {
	for _, segment := range q.path {
		path += "/" + url.PathEscape(segment)
	}
	if len(q.query) > 0 {
		path += "?" + q.query.Encode()
	}
	var body io.Reader = http.NoBody
	if q.members != nil {
		text, err := json.Marshal(q.members)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, q.method, path, body)
	if err != nil {
		return nil, errLost // a text that can stand in no path names nothing
	}
	for name, value := range map[string]string{"If-Match": q.etag, "Idempotency-Key": q.key} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	if q.members != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, nil
}

// ask has the API do something.
func ask[T any](a *api, q request) (callbacks.Done[T], error) {
	r, err := q.of(a.of.Context(), "")
	if err != nil {
		return callbacks.Done[T]{}, err
	}
	// The audit says from where.
	r.RemoteAddr = a.of.RemoteAddr
	return callbacks.Do[T](a.server, a.caller, r)
}

// endpoint returns one of the person's webhooks.
func (a *api) endpoint(id string) (callbacks.Done[callbacks.EndpointView], error) {
	return ask[callbacks.EndpointView](a, get("endpoints", id))
}

const (
	// maxListed is how many rows a page of the API has at most.
	maxListed = "200"
	// maxTypes is how many pages of types are read. There are as many types as a
	// configuration names.
	maxTypes = 10
)

// endpoints returns a page of the person's webhooks.
func (a *api) endpoints(cursor string) (callbacks.List[callbacks.EndpointView], error) {
	done, err := ask[callbacks.List[callbacks.EndpointView]](a, get("endpoints").with("limit", maxListed, "cursor", cursor))
	return done.Body, err
}

// types returns the types of events that there are.
func (a *api) types() ([]callbacks.TypeView, error) {
	var all []callbacks.TypeView
	cursor := ""
	for range maxTypes {
		page, err := ask[callbacks.List[callbacks.TypeView]](a, get("types").with("limit", maxListed, "cursor", cursor))
		if err != nil {
			return nil, err
		}
		all = append(all, page.Body.Data...)
		if cursor = page.Body.Next; cursor == "" {
			break
		}
	}
	return all, nil
}
