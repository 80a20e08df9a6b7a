// SPDX-License-Identifier: Apache-2.0

package record

import "github.com/caddy-webhooks/caddy-webhooks/event"

// AppendCause encodes: rule, outcome, at, method, path, resource, traceparent,
// hops.
func AppendCause(b []byte, cause event.Cause) []byte {
	b = AppendText(b, cause.Rule)
	b = AppendText(b, cause.Outcome)
	b = AppendTime(b, cause.At)
	b = AppendText(b, cause.Method)
	b = AppendText(b, cause.Path)
	b = AppendText(b, cause.Resource)
	b = AppendText(b, cause.TraceParent)
	return AppendText(b, cause.Hops)
}

// Cause decodes a cause. In the first versions of records it ends after its
// time.
func (r *Reader) Cause(whole bool) event.Cause {
	cause := event.Cause{Rule: r.Text(), Outcome: event.Outcome(r.Text()), At: r.Time()}
	if whole {
		cause.Method, cause.Path, cause.Resource = r.Text(), r.Text(), r.Text()
		cause.TraceParent, cause.Hops = r.Text(), r.Text()
	}
	return cause
}
