// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Metrics counts what the emitter does. Its methods are called by many
// goroutines at once and must return quickly.
type Metrics interface {
	// Attempted counts an attempt that was recorded. Status is its delivery's
	// new status: pending if there will be another attempt. Code is the
	// receiver's status code, 0 for no answer. Took is the attempt's duration,
	// age the time since the event was committed.
	Attempted(endpoint string, status queue.Status, code int, took, age time.Duration)
	// Unsent counts a delivery that was decided without an attempt.
	Unsent(endpoint string)
	// LeaseLost counts an attempt that could not be recorded because its
	// delivery was no longer leased.
	LeaseLost(endpoint string)
	// QueueFailed counts a failed call to the queue.
	QueueFailed(endpoint string)
}

// NopMetrics counts nothing.
type NopMetrics struct{}

// Attempted implements [Metrics].
func (NopMetrics) Attempted(string, queue.Status, int, time.Duration, time.Duration) {}

// Unsent implements [Metrics].
func (NopMetrics) Unsent(string) {}

// LeaseLost implements [Metrics].
func (NopMetrics) LeaseLost(string) {}

// QueueFailed implements [Metrics].
func (NopMetrics) QueueFailed(string) {}
