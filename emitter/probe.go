// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// What a test is. It has one body in every format: a sample in the form of a Show
// could be taken for an event.
const (
	probeType = "webhooks.test"
	probeBody = `{"test":true}`
)

// Probed is what a test sent to a receiver, and what came back.
type Probed struct {
	// Header is what was sent, with [Masked] in place of credentials; nil if nothing
	// was. Body is what was sent with it.
	Header http.Header
	Body   []byte
	// Attempt is how it ended, as a subscriber may know it.
	Attempt queue.Attempt
	// Accepted is true if the receiver took it as it has to take events.
	Accepted bool
}

// Masked stands in the place of a credential.
const Masked = "***"

// Probe posts a test to a target, once: as a delivery is posted, with the same
// transport and within the same egress policy, authenticated and signed alike. It
// leaves no trace in the queue or in what is known of the endpoint. It fails for a
// target that is not valid.
func Probe(ctx context.Context, target Target, options Options) (probed Probed, err error) {
	target, u, err := target.check()
	if err != nil {
		return Probed{}, err
	}
	if u == nil {
		return Probed{}, fmt.Errorf("%w: endpoint %s has no URL of its own", ErrBadTarget, target.Endpoint.Name)
	}
	sent := &recorder{to: target.Transport}
	target.Tokens, target.Transport = target.tokens(), sent
	d := &dispatcher{options: options.withDefaults(), target: target, url: u, template: newTemplate(u)}
	began := d.options.Now()
	ev := &event.Event{
		ID: "test_" + strings.ToLower(rand.Text()), Type: probeType, Key: event.Key{Resource: "webhooks", ID: "test"}, Op: event.OpTest,
		Time: began, ContentType: "application/json", Payload: []byte(probeBody),
	}
	format, err := payload.New(payload.Config{Kind: payload.Show})
	if err != nil {
		return Probed{}, err
	}
	got := d.probe(ctx, ev, destination{url: u, template: d.template, format: format}, began)
	meant := rule(got.code, got.word, got.err, target.Endpoint.Success)
	probed = Probed{Header: sent.masked(target), Body: ev.Payload, Accepted: meant.delivered && meant.disable == ""}
	probed.Attempt = queue.Attempt{At: began, Duration: d.options.Now().Sub(began), Code: got.code, Response: got.body, Error: got.failure(meant)}
	if meant.disable != "" && probed.Attempt.Error == "" {
		probed.Attempt.Error = meant.disable
	}
	probed.Attempt = ForSubscriber(probed.Attempt)
	return probed, nil
}

// probe makes the attempt, and recovers from panics as those of deliveries do.
func (d *dispatcher) probe(ctx context.Context, ev *event.Event, to destination, at time.Time) (got answer) {
	defer func() {
		if r := recover(); r != nil {
			d.options.Logger.Error("a test of a receiver panicked", zap.String("panic", fmt.Sprintf("%T", r)), zap.Stack("stack"))
			got = answer{err: errPanic}
		}
	}()
	return d.attempt(ctx, ev, to, "", at)
}

// recorder notes the header of the request that passes through it.
type recorder struct {
	to     http.RoundTripper
	header http.Header
}

// RoundTrip implements [http.RoundTripper].
func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	r.header = request.Header.Clone()
	return r.to.RoundTrip(request)
}

// masked returns the header that was sent, without credentials.
func (r *recorder) masked(target Target) http.Header {
	for name, values := range r.header {
		if len(values) == 0 {
			delete(r.header, name)
		}
	}
	if target.Endpoint.Auth == nil || r.header == nil {
		return r.header
	}
	for _, name := range target.Endpoint.Auth.Headers() {
		if r.header.Get(name) != "" {
			r.header.Set(name, Masked)
		}
	}
	return r.header
}
