// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// traces adds attempts to Caddy's traces.
var traces tracing

// tracing makes spans with the tracer of Caddy's own tracing handler, if a site has
// that handler. Caddy does not export the tracer, so it is taken from the last
// exchange that was traced; before the first there is none.
type tracing struct {
	provider atomic.Pointer[trace.TracerProvider]
}

const parentHeader = "traceparent"

// exchange returns the place of an exchange in its trace, "" if it is in none.
func (t *tracing) exchange(ctx context.Context) string {
	span := trace.SpanFromContext(ctx)
	if !span.SpanContext().IsValid() {
		return ""
	}
	if span.IsRecording() {
		provider := span.TracerProvider()
		if current := t.provider.Load(); current == nil || *current != provider {
			t.provider.Store(&provider)
		}
	}
	return parentOf(ctx)
}

// parentOf returns the trace context of ctx as a header has it.
func parentOf(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[parentHeader]
}

// Attempt implements [emitter.Tracer]. An attempt is a trace of its own, linked
// to that of the exchange: it may be made days later, and there may be many. An
// exchange whose trace was not sampled has no spans for its attempts either.
func (t *tracing) Attempt(ctx context.Context, delivery *queue.Delivery, cause event.Cause) (string, func(int, string)) {
	provider := t.provider.Load()
	if provider == nil || cause.TraceParent == "" {
		return cause.TraceParent, func(int, string) {}
	}
	exchange := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{parentHeader: cause.TraceParent}))
	if !exchange.IsSampled() {
		return cause.TraceParent, func(int, string) {}
	}
	//nolint:spancheck // whoever begins the attempt ends the span, with what is returned
	ctx, span := (*provider).Tracer("github.com/caddy-webhooks/caddy-webhooks").Start(ctx, "webhook delivery",
		trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithLinks(trace.Link{SpanContext: exchange}),
		trace.WithAttributes(
			attribute.String("webhooks.endpoint", delivery.Endpoint), attribute.String("webhooks.event", delivery.EventID),
			attribute.String("webhooks.type", delivery.EventType), attribute.String("webhooks.object", delivery.Key.String()),
			attribute.Int("webhooks.attempt", delivery.Attempts+1),
		))
	return parentOf(ctx), func(code int, failure string) { //nolint:spancheck // as above
		if code > 0 {
			span.SetAttributes(attribute.Int("http.response.status_code", code))
		}
		if failure != "" || code >= 300 {
			span.SetStatus(codes.Error, failure)
		}
		span.End()
	}
}

var _ emitter.Tracer = (*tracing)(nil)
