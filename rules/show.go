// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"context"
	"errors"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// errShowFailed is returned for an answer that is no Show, as `failed` says.
var errShowFailed = errors.New("the API answered Show with what `failed` of its show takes for an error")

// Read asks for a Show and says what the answer means.
func (r *Resource) Read(ctx context.Context, upstream *show.Upstream, request show.Request) (show.Show, error) {
	answer, err := upstream.Read(ctx, request)
	if err != nil {
		return answer, err
	}
	return r.Interpret(answer)
}

// Interpret returns an answer with the status that it means: an API that
// answers everything with 200 tells only in the body that there is no such
// object, or that it could not look.
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
	case r.gone != nil && r.gone.lists(answer.Status, usual) && r.gone.holds(json):
		answer.Status = http.StatusNotFound
	case r.failed != nil && r.failed.lists(answer.Status, usual) && r.failed.holds(json):
		return show.Show{}, errShowFailed
	}
	return answer, nil
}

// Canonical returns the key that a Show says its object has.
func (r *Resource) Canonical(key event.Key, document event.Document) event.Key {
	for _, v := range r.IDs {
		if v.Source != FromResponse {
			continue
		}
		id := body.Scalar(document.JSON(), v.Name)
		if id == "" {
			continue
		}
		parts := key.Parts()
		parts[len(parts)-1] = id
		if own, err := event.NewKey(r.Name, parts...); err == nil {
			return own
		}
	}
	return key
}
