// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// RecalledRequest is what an attempt sent, as far as it is known now, without its body, which
// is that of [ComposedView] in all attempts.
type RecalledRequest struct {
	Method string `json:"method"`
	// Host is where it went, and URL the endpoint's, if it was the same then.
	Host    string            `json:"host"`
	URL     string            `json:"url,omitempty"`
	Headers map[string]string `json:"headers"`
	// Keys are the beginnings of the ids of the keys that signed it.
	Keys []string `json:"keys,omitempty"`
	// Incomplete says why not all of it can be told, "" if all is.
	Incomplete string `json:"incomplete,omitempty"`
}

// Why not all of a request can be told.
const (
	eventGone       = "the event is not kept any more, or is not yours to see"
	settingsChanged = "the endpoint's settings have been changed since: where exactly it went, how it was signed, and its body are not known any more"
	keyGone         = "a key that signed it is not the endpoint's any more, so its signatures are not known"
)

// maxRecalled limits how many bytes of payloads are signed once more for one answer.
const maxRecalled = 4 << 20

// recall adds what was sent to the attempts of a delivery. Of a large event, it is told of the
// last attempts alone.
func (c *call) recall(d *queue.Delivery, attempts []queue.Attempt, views []AttemptView) error {
	if len(attempts) == 0 {
		return nil
	}
	of, err := c.event(d.EventID)
	if err != nil && !errors.Is(err, queue.ErrNotFound) {
		return err
	}
	e, err := c.book.Get(c.r.Context(), c.caller.Tenant, d.Endpoint)
	if err != nil {
		return err
	}
	as, err := e.Resolve(c.options.Template)
	if err != nil {
		as = endpoint.Endpoint{Name: e.ID, URL: nowhere, Tenant: e.Tenant} // nothing was sent by what cannot be delivered to
	}
	as = as.WithDefaults()
	signed := 0
	for i := range attempts {
		if attempts[i].Sent.IsZero() {
			continue
		}
		if of != nil {
			if signed += len(of.Payload); signed > maxRecalled && i > 0 {
				break
			}
		}
		if views[i].Request, err = recalledOf(&e, &as, of, &attempts[i]); err != nil {
			return err
		}
	}
	return nil
}

// recalledOf returns what an attempt sent. The event is nil if it is not kept any more.
func recalledOf(e *subscribers.Endpoint, as *endpoint.Endpoint, of *event.Event, a *queue.Attempt) (*RecalledRequest, error) {
	sent := &RecalledRequest{Method: http.MethodPost, Host: a.Sent.Host, Keys: secretNames(e, a.Sent.Keys)}
	if of == nil {
		sent.Headers, sent.Incomplete = map[string]string{"webhook-timestamp": strconv.FormatInt(a.At.Unix(), 10)}, eventGone
		return sent, nil
	}
	recalled, err := emitter.Recall(as, of, a)
	if err != nil {
		return nil, err
	}
	sent.Headers = flat(recalled.Header)
	switch {
	case recalled.Changed:
		sent.Incomplete = settingsChanged
	case recalled.Unsigned:
		sent.URL, sent.Incomplete = e.URL, keyGone
	default:
		sent.URL = e.URL
	}
	return sent, nil
}

// secretNames returns the beginnings of the ids of an endpoint's secrets for the names of the
// keys that these are: a style of its own takes the text of a secret as it is for a key.
func secretNames(e *subscribers.Endpoint, keys []string) []string {
	if scheme, _, _ := strings.Cut(e.Signature, " "); scheme != subscribers.SignatureX {
		return keys
	}
	names := slices.Clone(keys)
	for _, secret := range e.Secrets {
		key, err := sign.ParseKey(secret.Text)
		if at := slices.Index(keys, key.ShortName()); err == nil && at >= 0 {
			names[at] = secretID(secret.Text)[:len(keys[at])]
		}
	}
	return names
}
