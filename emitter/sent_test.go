// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/auth"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// unkept are the headers of a request that are not told of it again.
var unkept = []string{"User-Agent", "Webhook-Hop", "X-Idempotency-Key"}

// recalled delivers an event once to an endpoint, and returns what its receiver got, and what
// is kept of that.
func recalled(t *testing.T, change func(*endpoint.Endpoint)) (sent got, ev event.Event, kept queue.Attempt, as endpoint.Endpoint) {
	t.Helper()
	w := newWorld(t, Options{})
	target := w.target(t, "erp")
	target.Endpoint.Trace = true
	change(&target.Endpoint)
	w.apply(t, target)
	ev = w.publish(t, "1", []string{"erp"}, func(e *event.Event) {
		e.Cause.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	})
	synctest.Wait()
	all := w.receivers.of("erp")
	made := attempts(t, w.store, queue.Filter{})
	if len(all) != 1 || len(made) != 1 {
		t.Fatalf("%d requests, %d attempts", len(all), len(made))
	}
	return all[0], ev, made[0], target.Endpoint.WithDefaults()
}

// What an attempt sent is told as it was, byte for byte, in every format and with every
// signature, and without credentials.
func TestRecall(t *testing.T) {
	key, err := sign.ParseKey("gateway-api-key")
	noError(t, err)
	style, err := sign.NewXSignature(sign.Style{}, key)
	noError(t, err)
	rfc9421, err := sign.NewMessageSignatures()
	noError(t, err)
	basic, err := auth.Headers(auth.Field{Name: "Authorization", Value: "Basic canary-password"}, auth.Field{Name: "X-Own", Value: "canary-own"})
	noError(t, err)
	for name, change := range map[string]func(*endpoint.Endpoint){
		"standard":    func(*endpoint.Endpoint) {},
		"rfc9421":     func(e *endpoint.Endpoint) { e.Signatures = []sign.Scheme{rfc9421, sign.Standard{}} },
		"x-signature": func(e *endpoint.Endpoint) { e.Signatures = []sign.Scheme{style} },
		"unsigned":    func(e *endpoint.Endpoint) { e.Signatures, e.Secrets = []sign.Scheme{}, nil },
		"envelope": func(e *endpoint.Endpoint) {
			e.Payload = formatOf(t, payload.Config{Kind: payload.CloudEvents, Binary: true})
		},
		"credentials": func(e *endpoint.Endpoint) { e.Auth = basic },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				sent, ev, kept, as := recalled(t, change)
				time.Sleep(time.Hour)
				r, err := Recall(&as, &ev, &kept)
				noError(t, err)
				for _, name := range unkept {
					sent.header.Del(name)
				}
				for _, name := range []string{"Authorization", "X-Own"} {
					if as.Auth != nil {
						sent.header.Set(name, Masked)
					}
				}
				if !maps.EqualFunc(r.Header, sent.header, slices.Equal[[]string]) || string(r.Body) != string(sent.body) || r.Changed || r.Unsigned {
					t.Errorf("sent %v %s, told %+v", sent.header, sent.body, r)
				}
				if kept.Sent.Host != "erp.example" || kept.Sent.Trace == "" {
					t.Errorf("kept %+v", kept.Sent)
				}
			})
		})
	}
}

// What an endpoint sends now says nothing of what it sent before: what has changed since is
// left out, and that is said.
func TestRecallAfterChanges(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, ev, kept, as := recalled(t, func(*endpoint.Endpoint) {})
		other, err := sign.ParseKey("another-key-0123456789")
		noError(t, err)
		rotated := as
		rotated.Secrets = []sign.Secret{other, as.Secrets[0].Until(time.Now().Add(time.Hour))}
		r, err := Recall(&rotated, &ev, &kept)
		noError(t, err)
		same, err := Recall(&as, &ev, &kept)
		noError(t, err)
		if signature := r.Header.Get("Webhook-Signature"); r.Unsigned || signature == "" || signature != same.Header.Get("Webhook-Signature") {
			t.Errorf("beside a new key: %+v", r)
		}
		replaced := as
		replaced.Secrets = []sign.Secret{other}
		r, err = Recall(&replaced, &ev, &kept)
		noError(t, err)
		if !r.Unsigned || r.Changed || r.Header.Get("Webhook-Signature") != "" || r.Header.Get("Webhook-Id") == "" || len(r.Body) == 0 {
			t.Errorf("without its key: %+v", r)
		}
		moved := as
		moved.URL += "&more"
		r, err = Recall(&moved, &ev, &kept)
		noError(t, err)
		if !r.Changed || r.Body != nil || r.Header.Get("Content-Type") != "" || r.Header.Get("Webhook-Signature") != "" || r.Header.Get("Webhook-Object") != "items/1" || r.Header.Get("Traceparent") == "" {
			t.Errorf("with another URL: %+v", r)
		}
	})
}

// tokenless gets no token.
type tokenless struct{ auth.Authenticator }

func (tokenless) Authenticate(context.Context, http.RoundTripper, http.Header) error {
	return errors.New("no token")
}
func (tokenless) Headers() []string { return []string{"Authorization"} }
func (tokenless) Equal(other auth.Authenticator) bool {
	return other == auth.Authenticator(tokenless{})
}

// Of what is not sent, nothing is kept; what does not arrive was sent, as far as anybody
// may know.
func TestSentIsKept(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		target := w.target(t, "erp")
		target.Endpoint.Schedule = []time.Duration{}
		w.apply(t, target)
		w.receivers.answer = func(context.Context, got) (int, error) { return 0, errors.New("connection refused") }
		w.publish(t, "1", []string{"erp"}, nil)
		synctest.Wait()
		made := attempts(t, w.store, queue.Filter{})
		if len(made) != 1 || made[0].Sent.Host != "erp.example" || len(made[0].Sent.Keys) != 1 || made[0].Sent.Trace != "" {
			t.Errorf("kept %+v", made)
		}
		target.Endpoint.Auth = tokenless{}
		w.apply(t, target)
		w.publish(t, "2", []string{"erp"}, nil)
		synctest.Wait()
		for _, a := range attempts(t, w.store, queue.Filter{EventID: "evt_2_1"}) {
			if a.Error == "" || !a.Sent.IsZero() {
				t.Errorf("of what was not sent, %+v is kept", a)
			}
		}
	})
}
