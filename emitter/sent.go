// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"net/http"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// sent returns what is kept of a request that is made at a time.
func (d *dispatcher) sent(to *destination, trace string, at time.Time) queue.Sent {
	kept := queue.Sent{Host: to.url.Host, Settings: d.settings, Keys: d.signers.At(at), Trace: trace}
	if own := d.target.Endpoint.Payload; !to.format.Equal(own) {
		kept.Settings = d.target.Endpoint.Settings(to.format)
	}
	return kept
}

// Recalled is the request of an attempt that was made, as far as it is known now.
type Recalled struct {
	// Header is what was sent, with [Masked] in place of credentials, and without what
	// belongs to a connection. Body is what was sent with it.
	Header http.Header
	Body   []byte
	// Changed is true if the endpoint has other settings now. Then the header has only
	// what the event and the attempt say, and there is no body.
	Changed bool
	// Unsigned is true if a key that signed it is not the endpoint's any more. Then the
	// header has no signatures.
	Unsigned bool
}

// Recall makes the request of an attempt again, of the event, and of the endpoint as it is
// now, with its defaults. What cannot be the same is left out, and said. The attempt must have
// sent something.
func Recall(e *endpoint.Endpoint, ev *event.Event, attempt *queue.Attempt) (Recalled, error) {
	as := *e
	// Keys that have been made since did not sign it.
	as.Secrets = slices.DeleteFunc(slices.Clone(e.Secrets), func(key sign.Secret) bool {
		return !slices.Contains(attempt.Sent.Keys, key.ShortName())
	})
	header, body, err := Compose(&as, ev, "", attempt.At)
	if err != nil {
		return Recalled{}, err
	}
	r := Recalled{Header: header, Body: body}
	if r.Changed = attempt.Sent.Settings != e.Settings(e.Payload); r.Changed {
		r.Header, r.Body = make(http.Header), nil
		for _, name := range headerNames[:2+claimed] {
			if values := header[name]; len(values) > 0 {
				r.Header[name] = values
			}
		}
	} else {
		r.complete(&as, attempt)
	}
	if trace := attempt.Sent.Trace; trace != "" {
		r.Header.Set(traceHeader, trace)
	}
	return r, nil
}

// complete adds what an event does not have, and takes signatures away that were others.
func (r *Recalled) complete(e *endpoint.Endpoint, attempt *queue.Attempt) {
	signers := sign.SignersOf(e.Signatures, e.Secrets)
	if r.Unsigned = !slices.Equal(signers.At(attempt.At), attempt.Sent.Keys); r.Unsigned {
		for _, scheme := range e.Signatures {
			for _, name := range scheme.Headers() {
				r.Header.Del(name)
			}
		}
	}
	if e.Auth != nil {
		for _, name := range e.Auth.Headers() {
			r.Header.Set(name, Masked)
		}
	}
}
