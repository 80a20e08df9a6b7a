// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Tracer makes attempts part of a trace.
type Tracer interface {
	// Attempt begins the span of an attempt, which is linked to the exchange
	// that caused the event. It returns the span's place in its trace, for a
	// traceparent header; it is empty if nothing is traced. The returned
	// function ends the span, with the answer's status and a description of the
	// failure; both may be empty.
	Attempt(ctx context.Context, delivery *queue.Delivery, cause event.Cause) (string, func(code int, failure string))
}

// NopTracer traces nothing. It passes on the exchange's traceparent.
type NopTracer struct{}

// Attempt implements [Tracer].
func (NopTracer) Attempt(_ context.Context, _ *queue.Delivery, cause event.Cause) (string, func(int, string)) {
	return cause.TraceParent, func(int, string) {}
}
