// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"errors"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/shape"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

func createEndpoint(c *call) (*answer, error) { return c.create(nil) }

// create makes an endpoint, unless one of the tenant's has its place already.
func (c *call) create(taken func(*subscribers.Endpoint) bool) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	members, err := c.members(typeJSON)
	if err != nil {
		return nil, err
	}
	e := subscribers.Endpoint{Tenant: c.caller.Tenant, Status: subscribers.Active}
	change := edit{members: members, ownSecret: c.options.Policy.Offer.OwnSecret}
	named := change.names()
	if c.run, err = c.beginning(members); err != nil {
		return nil, err
	}
	if err := change.apply(&e); err != nil {
		return nil, err
	}
	if c.run != nil {
		if err := deliverable(&e, "/"+beginMember); err != nil {
			return nil, err
		}
	}
	c.options.Policy.Offer.Complete(&e)
	secret := giveSecret(&e)
	if err := c.check(&e, true); err != nil {
		return nil, err
	}
	verification, err := c.verify(&e)
	if err != nil {
		return nil, err
	}
	if err := c.admitRun(c.run, ""); err != nil {
		return nil, err
	}
	_, begins, err := c.store.FeedEnds(c.r.Context())
	if err != nil {
		return nil, err
	}
	c.doing = doing{"create", named, func(e *subscribers.Endpoint) *answer {
		made := c.view(e)
		made.Secret, made.Verification, made.Cursor = secret, verification, begins.String()
		return (&answer{status: http.StatusCreated, body: made}).set("Location", c.shownAt(e))
	}}
	if e, err = c.book.CreateUnless(c.r.Context(), e, taken); err != nil {
		return nil, err
	}
	return c.doing.answer(&e).set("ETag", c.etag(&e)), nil
}

// putEndpoint makes or replaces what the path names. Of requests that make the same at
// once, one makes it, and the others replace it.
func putEndpoint(c *call) (*answer, error) {
	name, byType := c.values[shape.NameType]
	if _, byID := c.values[shape.NameID]; byID || !byType {
		return replaceEndpoint(c) // ids are ours to give
	}
	pattern, known := c.options.TypeNames.Pattern(name)
	if !known {
		return nil, queue.ErrNotFound
	}
	for range maxRounds {
		_, err := c.endpoint()
		var a *answer
		switch {
		case err == nil && c.r.Header.Get("If-None-Match") == "*":
			return nil, subscribers.ErrChanged
		case err == nil:
			a, err = replaceEndpoint(c)
		case !errors.Is(err, queue.ErrNotFound):
			return nil, err
		case c.r.Header.Get("If-Match") != "":
			return nil, subscribers.ErrChanged
		default:
			a, err = c.create(isOf(pattern))
		}
		// It was made, or deleted, meanwhile.
		if !errors.Is(err, subscribers.ErrExists) && !errors.Is(err, queue.ErrNotFound) {
			return a, err
		}
	}
	return nil, conflicting.problem("others change it at the same time; try again")
}
