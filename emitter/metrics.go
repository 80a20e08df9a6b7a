// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Metrics is told what the emitter does. Its methods are called by many
// goroutines at once and must return quickly.
type Metrics interface {
	// Attempted counts an attempt that was recorded. Status is what it made of
	// its delivery: pending if there will be another attempt. Took is the
	// attempt's duration, age the time since the event was committed.
	Attempted(endpoint string, status queue.Status, took, age time.Duration)
	// LeaseLost counts an attempt that could not be recorded because its
	// delivery was no longer leased: it will be, or was, attempted again.
	LeaseLost(endpoint string)
	// QueueFailed counts a call that the queue failed.
	QueueFailed(endpoint string)
}

// NopMetrics takes no notice.
type NopMetrics struct{}

// Attempted implements [Metrics].
func (NopMetrics) Attempted(string, queue.Status, time.Duration, time.Duration) {}

// LeaseLost implements [Metrics].
func (NopMetrics) LeaseLost(string) {}

// QueueFailed implements [Metrics].
func (NopMetrics) QueueFailed(string) {}
