// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// TestTraceLinksExchangeToAttempt follows a change from its exchange to its
// attempt.
func TestTraceLinksExchangeToAttempt(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	var traces tracing
	if got := traces.exchange(t.Context()); got != "" {
		t.Errorf("an exchange without a trace: %q", got)
	}
	delivery := &queue.Delivery{EventID: "evt_1", EventType: "items.updated", Endpoint: "erp", Attempts: 2, Key: event.Key{Resource: "items", ID: "42"}}
	stray := event.Cause{TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	if parent, end := traces.Attempt(t.Context(), delivery, stray); parent != stray.TraceParent {
		t.Errorf("before any exchange: %q", parent)
	} else {
		end(200, "")
	}

	ctx, span := provider.Tracer("caddy").Start(t.Context(), "exchange")
	cause := event.Cause{TraceParent: traces.exchange(ctx)}
	span.End()
	parent, end := traces.Attempt(context.Background(), delivery, cause)
	end(503, "answered 503")

	ended := spans.Ended()
	if len(ended) != 2 || ended[1].Name() != "webhook delivery" {
		t.Fatalf("%d spans", len(ended))
	}
	attempt := ended[1]
	links := attempt.Links()
	if len(links) != 1 || links[0].SpanContext.SpanID() != span.SpanContext().SpanID() || links[0].SpanContext.TraceID() != span.SpanContext().TraceID() {
		t.Errorf("links: %+v", links)
	}
	if !strings.Contains(parent, attempt.SpanContext().SpanID().String()) || strings.Contains(parent, span.SpanContext().TraceID().String()) {
		t.Errorf("the receiver is told %s", parent)
	}
	if attempt.Status().Description != "answered 503" || attempt.SpanKind() != trace.SpanKindClient {
		t.Errorf("the span ends with %+v", attempt.Status())
	}

	// One that was not sampled makes no spans, and neither does what is none.
	unsampled := event.Cause{TraceParent: strings.TrimSuffix(cause.TraceParent, "01") + "00"}
	for _, cause := range []event.Cause{unsampled, {}, {TraceParent: "nonsense"}} {
		_, end := traces.Attempt(context.Background(), delivery, cause)
		end(200, "")
	}
	if n := len(spans.Ended()); n != 2 {
		t.Errorf("%d spans", n)
	}
}
