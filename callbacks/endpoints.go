// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"context"
	"errors"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/shape"
	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/verbs"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// EndpointView is an endpoint as its owner sees it. Credentials never come back.
type EndpointView struct {
	ID        string            `json:"id"`
	Label     string            `json:"label,omitempty"`
	URL       string            `json:"url,omitempty"`
	Events    []string          `json:"events"`
	Payload   PayloadView       `json:"payload"`
	Signature string            `json:"signature"`
	Auth      *AuthView         `json:"auth,omitempty"`
	Rate      string            `json:"rate,omitempty"`
	Order     string            `json:"order"`
	Headers   map[string]string `json:"headers,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	Filter    string            `json:"filter,omitempty"`
	// Status is active, retrying, failing, paused or disabled.
	Status    string       `json:"status"`
	Since     time.Time    `json:"since,omitzero"`
	Reason    string       `json:"reason,omitempty"`
	CreatedAt time.Time    `json:"created_at"`
	Secrets   []SecretView `json:"secrets"`
	// Secret is there once, in the answer to the request that made it.
	Secret string `json:"secret,omitempty"`
	// Delayed is true if deliveries may be made as before for some seconds, although a secret
	// was made.
	Delayed bool `json:"delayed,omitempty"`
	// Cursor is where the endpoint's feed begins. It is told once, too.
	Cursor       string        `json:"cursor,omitempty"`
	Verification *Verification `json:"verification,omitempty"`
}

// AuthView is what deliveries authenticate with, without the credential.
type AuthView struct {
	Scheme string `json:"scheme"`
	Name   string `json:"name,omitempty"`
}

// view returns an endpoint as its owner sees it.
func (c *call) view(e *subscribers.Endpoint) EndpointView {
	v := EndpointView{
		ID: e.ID, Label: e.Label, URL: e.URL, Events: e.Events, Payload: payloadOf(e.Payload), Signature: e.Signature, Rate: e.Rate,
		Order: string(e.Order), Headers: e.Headers, Metadata: e.Metadata, Filter: e.Filter, Status: string(e.Status), CreatedAt: e.Created,
		Secrets: secretsOf(e, c.now),
	}
	if len(v.Events) == 0 {
		v.Events = []string{"*"}
	}
	if v.Signature == "" {
		v.Signature = subscribers.SignatureStandard
	}
	if v.Order == "" {
		v.Order = "object"
	}
	if e.Auth != nil {
		v.Auth = &AuthView{e.Auth.Scheme, e.Auth.Name}
	}
	c.stand(e, &v)
	return v
}

// stand fills in how an endpoint fares. The reasons are words of ours: what an attempt
// found may tell of our side of the network.
func (c *call) stand(e *subscribers.Endpoint, v *EndpointView) {
	if e.Status == subscribers.Paused {
		return
	}
	working := c.options.Emitter()
	if working == nil {
		return
	}
	standing, applied := working.Standing(e.ID)
	if !applied || standing.Reason == emitter.OwnerPaused {
		return // it has not taken over yet that its owner has resumed it
	}
	v.Status, v.Since = string(standing.Status), standing.Since
	switch standing.Status {
	case queue.EndpointPaused:
		v.Reason = "the operator has paused it"
	case queue.EndpointDisabled:
		v.Reason = "it failed for too long, or its receiver asked for it; resume it when it works again"
	case emitter.StatusFailing, emitter.StatusRetrying:
		v.Reason = "attempts fail; see its deliveries"
	}
}

// doing is what a call does to an endpoint, for the records that are written with it.
type doing struct {
	action  string
	changed []string
	// answer makes the answer, as far as it is known before the endpoint is written.
	answer func(e *subscribers.Endpoint) *answer
}

// noted returns what is written with a change of an endpoint.
func (c *call) noted(of *subscribers.Endpoint) ([]queue.Record, error) {
	audited, err := c.audit("endpoint."+c.doing.action, of.ID, c.doing.changed)
	if err != nil {
		return nil, err
	}
	with := []queue.Record{audited}
	if c.run != nil && c.doing.action == "create" {
		begun, err := c.begun(of)
		if err != nil {
			return nil, err
		}
		with = append(with, begun)
	}
	if c.pending != nil && c.doing.answer != nil {
		kept, err := c.pending.done(c.doing.answer(of))
		if err != nil {
			return nil, err
		}
		with = append(with, kept)
	}
	return with, nil
}

func listEndpoints(c *call) (*answer, error) {
	values, err := parameters(c.r, "cursor", "limit")
	if err != nil {
		return nil, err
	}
	page, err := pageOf(values, maxPage)
	if err != nil {
		return nil, err
	}
	endpoints, next, err := c.book.Of(c.r.Context(), c.caller.Tenant, page)
	if err != nil {
		return nil, err
	}
	answer := List[EndpointView]{Data: make([]EndpointView, len(endpoints)), Next: string(next)}
	for i := range endpoints {
		answer.Data[i] = c.view(&endpoints[i])
	}
	return ok(answer)
}

// endpoint returns the caller's endpoint that the path names.
func (c *call) endpoint() (subscribers.Endpoint, error) {
	e, err := c.endpointNamed()
	if err == nil && e == nil {
		err = queue.ErrNotFound
	}
	if err != nil {
		return subscribers.Endpoint{}, err
	}
	return *e, nil
}

// endpointNamed returns the caller's endpoint that the path names, by its id or its type,
// nil if it names none. If it names both, both must be the endpoint's.
func (c *call) endpointNamed() (*subscribers.Endpoint, error) {
	id, byID := c.values[shape.NameID]
	name, byType := c.values[shape.NameType]
	var pattern string
	if byType {
		var known bool
		if pattern, known = c.options.TypeNames.Pattern(name); !known {
			return nil, queue.ErrNotFound
		}
	}
	var e subscribers.Endpoint
	var err error
	switch {
	case byID:
		e, err = c.book.Get(c.r.Context(), c.caller.Tenant, id)
	case byType:
		e, err = c.book.Find(c.r.Context(), c.caller.Tenant, isOf(pattern))
	default:
		return nil, nil
	}
	if err == nil && byType && !isOf(pattern)(&e) {
		err = queue.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &e, nil
}

// isOf reports whether an endpoint asks for one pattern, and nothing else.
func isOf(pattern string) func(*subscribers.Endpoint) bool {
	return func(e *subscribers.Endpoint) bool { return len(e.Events) == 1 && e.Events[0] == pattern }
}

// shows returns the answer that shows an endpoint.
func (c *call) shows(e *subscribers.Endpoint) (*answer, error) {
	return (&answer{status: http.StatusOK, body: c.view(e)}).set("ETag", c.etag(e)), nil
}

func showEndpoint(c *call) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	e, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	if c.unmodified(&e) {
		return (&answer{status: http.StatusNotModified}).set("ETag", c.etag(&e)), nil
	}
	return c.shows(&e)
}

// check reports why an endpoint cannot be as it is.
func (c *call) check(e *subscribers.Endpoint, isNew bool) error {
	if err := c.requires(e); err != nil {
		return err
	}
	if err := c.options.Policy.Offer.Admits(e); err != nil {
		return err
	}
	if err := c.book.Admit(c.r.Context(), e, isNew); err != nil {
		return err
	}
	if err := c.options.Prober.Check(e); err != nil {
		return err
	}
	return checkSecrets(e)
}

func replaceEndpoint(c *call) (*answer, error) { return changeEndpoint(c, false, typeJSON) }

func patchEndpoint(c *call) (*answer, error) { return changeEndpoint(c, true, typeMerge, typeJSON) }

// maxRounds is how often a change is tried that others disturb. Each may test the
// receiver.
const maxRounds = 4

func changeEndpoint(c *call, merge bool, types ...string) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	// Whose it is comes first: to a stranger, it is not there, whatever is sent.
	if _, err := c.endpoint(); err != nil {
		return nil, err
	}
	members, err := c.members(types...)
	if err != nil {
		return nil, err
	}
	change := edit{members, merge, c.options.Policy.Offer.OwnSecret}
	var tested *Verification
	testedURL := ""
	for range maxRounds {
		was, err := c.endpoint()
		if err != nil {
			return nil, err
		}
		if _, err := c.expected(&was); err != nil {
			return nil, err
		}
		next := was
		if err := change.apply(&next); err != nil {
			return nil, err
		}
		c.options.Policy.Offer.Complete(&next)
		secret := giveSecret(&next)
		if err := c.check(&next, false); err != nil {
			return nil, err
		}
		if next.URL != was.URL && next.URL != testedURL {
			if tested, err = c.verify(&next); err != nil {
				return nil, err
			}
			testedURL = next.URL
		}
		c.doing = doing{action: "change", changed: change.names()}
		// What was tested is written, and no other state.
		e, err := c.book.Change(c.r.Context(), c.caller.Tenant, was.ID, was.Version, func(e *subscribers.Endpoint) error {
			*e = next
			return nil
		})
		if errors.Is(err, subscribers.ErrChanged) {
			continue
		}
		late := false
		if err == nil {
			late, err = c.appliedOnce(secret)
		}
		if err != nil {
			return nil, err
		}
		if _, said := members["status"]; said && e.Status == subscribers.Active {
			if err := c.enable(e.ID); err != nil {
				return nil, err
			}
		}
		made := c.view(&e)
		made.Secret, made.Verification, made.Delayed = secret, tested, late
		return (&answer{status: http.StatusOK, body: made}).set("ETag", c.etag(&e)), nil
	}
	return nil, conflicting.problem("others change it at the same time; try again")
}

// cancelTimeout limits how long deleting waits for what is pending to be cancelled.
const cancelTimeout = 10 * time.Second

func deleteEndpoint(c *call) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	e, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	version, err := c.expected(&e)
	if err != nil {
		return nil, err
	}
	c.doing = doing{action: "delete"}
	if err := c.book.Delete(c.r.Context(), c.caller.Tenant, e.ID, version); err != nil {
		return nil, err
	}
	if err := c.applied(); err != nil {
		return nil, err
	}
	c.cancelPending(e.ID)
	return &answer{status: http.StatusNoContent}, nil
}

// cancelPending cancels what is pending for an endpoint that was deleted. It is not
// undone if that fails: nothing is delivered to it any more, and the pipeline cancels
// what is left.
func (c *call) cancelPending(id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), cancelTimeout)
	defer cancel()
	if err := verbs.CancelAll(ctx, c.store, id); err != nil {
		c.options.Log.Warn("not all that was pending for a deleted endpoint is cancelled; it is tried again", zap.String("endpoint", id), zap.Error(err))
	}
}

func pauseEndpoint(c *call) (*answer, error) { return c.setStatus("pause", subscribers.Paused) }

func resumeEndpoint(c *call) (*answer, error) { return c.setStatus("resume", subscribers.Active) }

// setStatus says whether an endpoint is to get deliveries.
func (c *call) setStatus(action string, status subscribers.Status) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	e, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	version, err := c.expected(&e)
	if err != nil {
		return nil, err
	}
	if e.Status != status {
		c.doing = doing{action: action}
		e, err = c.book.Change(c.r.Context(), c.caller.Tenant, e.ID, version, func(e *subscribers.Endpoint) error {
			e.Status = status
			return nil
		})
		if err == nil {
			err = c.applied()
		}
		if err != nil {
			return nil, err
		}
	}
	if status == subscribers.Active {
		if err := c.enable(e.ID); err != nil {
			return nil, err
		}
	}
	return c.shows(&e)
}

// enable has an endpoint get deliveries again that was disabled because it failed. One
// that the operator has paused stays so.
func (c *call) enable(id string) error {
	working := c.options.Emitter()
	if working == nil {
		return nil
	}
	standing, applied := working.Standing(id)
	if !applied || standing.Status == queue.EndpointActive || standing.Status == queue.EndpointPaused {
		return nil
	}
	audited, err := c.audit("endpoint.enable", id, nil)
	if err != nil {
		return err
	}
	if _, err := c.store.Change(c.r.Context(), audited); err != nil {
		return err
	}
	if err := working.Resume(c.r.Context(), id); err != nil && !errors.Is(err, emitter.ErrUnknownEndpoint) {
		return err
	}
	return nil
}
