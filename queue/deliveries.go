// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Deliveries is what the emitter needs of the queue.
//
// The deliveries of one endpoint are in lanes, by its [Order]: at most one of
// a lane is leased at a time, in the order in which their events were
// committed, and one that waits for a retry holds back those behind it and
// nothing else. The order of commits is the one in which events can be seen:
// once a delivery can be leased, no event is committed any more that comes
// before it.
type Deliveries interface {
	// SetOrder sets what makes a lane of an endpoint's deliveries, whichever
	// process leases them: the latest call counts. It must come before the first
	// lease, as an engine of one process may forget an order when it ends. Until
	// then it is [OrderObject].
	//
	// The order may change while deliveries wait, and nothing is lost. The
	// moment of change is when the last lease that was given under another order
	// has ended; until then no delivery of the endpoint is leased.
	SetOrder(ctx context.Context, endpoint string, order Order) error

	// LeaseDelivery waits until the head of one of the endpoint's lanes is
	// due, and leases it.
	LeaseDelivery(ctx context.Context, endpoint string, options LeaseOptions) (DeliveryLease, error)

	// FinishAttempt records an attempt and decides the delivery, in one step.
	// It may be lost by a crash, and then the delivery is attempted again. It
	// fails with [ErrLeaseLost] and changes nothing when the lease is no
	// longer held.
	FinishAttempt(ctx context.Context, lease DeliveryLease, attempt Attempt, verdict Verdict) error

	// ReleaseDelivery gives a lease back without an attempt; the delivery is
	// due again at once.
	ReleaseDelivery(ctx context.Context, lease DeliveryLease) error

	// PostponeDelivery gives a lease back without an attempt; the delivery is
	// due again at the given time. That time is a hint: an engine may forget it,
	// as when a process ends, and then the delivery is due at once.
	PostponeDelivery(ctx context.Context, lease DeliveryLease, until time.Time) error

	// HastenDeliveries makes deliveries of an endpoint due that wait for a retry
	// at the head of their lanes, and returns how many. Leased ones are left. A
	// crash may undo it: then they are due when they were before.
	//
	// The next attempt of a hastened delivery is an extra one, see
	// [Delivery.HastenedFrom].
	HastenDeliveries(ctx context.Context, endpoint string, which Hasten) (int, error)
}

// Hasten says which of an endpoint's deliveries are hastened. The zero value is
// all that wait for a retry.
type Hasten struct {
	// Key, if not zero, is the object whose deliveries are hastened.
	Key event.Key
	// Next hastens no more than the one that would be due next, and none while
	// another is due or, with [OrderEndpoint], leased.
	Next bool
}

// LeaseOptions say how deliveries of an endpoint are leased.
type LeaseOptions struct {
	// For is how long the lease is.
	For time.Duration
	// Coalesce leases, of an object's waiting deliveries, only the newest; the
	// older become [StatusSuperseded] before it is leased. With [OrderNone],
	// deliveries do not wait for each other, and Coalesce does nothing.
	Coalesce bool
	// Admit, if not nil, reports whether there is room for a payload of so many
	// bytes, before it is read into memory. If not, nothing is leased, and
	// LeaseDelivery fails with [ErrNotAdmitted]. Admit must return at once. An
	// engine may call it before anything is leased, and more than once: only the
	// payload that was admitted last may be leased.
	Admit func(size int64) bool
}

// Order says what makes a lane of an endpoint's deliveries.
type Order string

const (
	// OrderObject: the deliveries of one object are a lane. This is the
	// default.
	OrderObject Order = ""
	// OrderEndpoint: all deliveries of the endpoint are one lane.
	OrderEndpoint Order = "endpoint"
	// OrderNone: each delivery is a lane of its own.
	OrderNone Order = "none"
)

// Check reports a value that is no order.
func (o Order) Check() error {
	switch o {
	case OrderObject, OrderEndpoint, OrderNone:
		return nil
	default:
		return fmt.Errorf("%q is not an order of deliveries", string(o))
	}
}

// DeliveryLease is the right to attempt one delivery.
type DeliveryLease struct {
	Delivery
	// Event is what is delivered. When its retention has passed, Expired is
	// true and only Event.ID and Event.Key are set.
	Event   event.Event
	Expired bool
	// Format is the endpoint's in [Routed.Formats]; "" if it has none there, or
	// the event was not routed to it ([Operations.Replay]).
	Format string
	// Fence sets this lease apart from any other of the lane.
	Fence uint64
}

// Status is where a delivery stands.
type Status string

const (
	// StatusPending: not delivered yet; it is tried, or waits for its turn.
	StatusPending Status = "pending"
	// StatusDelivered: the receiver answered with success.
	StatusDelivered Status = "delivered"
	// StatusDead: all attempts failed, or it has waited for too long.
	StatusDead Status = "dead"
	// StatusSuperseded: not sent, as a newer event of the object was waiting
	// and the endpoint wants only the newest (see [LeaseOptions.Coalesce]).
	StatusSuperseded Status = "superseded"
	// StatusCancelled: somebody has decided that it is not to be sent.
	StatusCancelled Status = "cancelled"
)

// Delivery is one event on its way to one endpoint.
type Delivery struct {
	// EventID and EventType name the event.
	EventID   string `json:"event_id"`
	EventType string `json:"event_type"`
	// Key and Sequence are the event's.
	Key      event.Key `json:"-"`
	Sequence uint64    `json:"sequence"`
	// Endpoint names the endpoint.
	Endpoint string `json:"endpoint"`
	// Status is where the delivery stands.
	Status Status `json:"status"`
	// Attempts counts the attempts made.
	Attempts int `json:"attempts"`
	// PriorAttempts counts those of them that were made before the last
	// [Operations.Redeliver] or [Operations.Replay] of the delivery: the retry
	// schedule begins anew after them.
	PriorAttempts int `json:"prior_attempts,omitempty"`
	// ExtraAttempts counts those of the attempts since then that were hastened:
	// they are no part of the retry schedule. It is 0 unless pending.
	ExtraAttempts int `json:"extra_attempts,omitempty"`
	// HastenedFrom is when the next attempt would be due if it had not been
	// hastened; zero if it was not. When that attempt has failed, it counts as
	// extra, and HastenedFrom is zero again.
	HastenedFrom time.Time `json:"hastened_from,omitzero"`
	// CreatedAt is when the event was committed.
	CreatedAt time.Time `json:"created_at"`
	// DueAt is when the next attempt is due; zero unless pending.
	DueAt time.Time `json:"due_at,omitzero"`
	// FinishedAt is when the delivery was decided; zero while pending.
	FinishedAt time.Time `json:"finished_at,omitzero"`
}

// Verdict decides a delivery after an attempt.
type Verdict struct {
	// Status is StatusDelivered, StatusDead, or StatusPending for one more
	// attempt at RetryAt.
	Status  Status
	RetryAt time.Time
}

// Attempt is one HTTP try of a delivery.
type Attempt struct {
	// EventID and Endpoint name the delivery. FinishAttempt takes them, and
	// Number, from the lease.
	EventID  string `json:"event_id"`
	Endpoint string `json:"endpoint"`
	// Number counts the delivery's attempts from 1.
	Number int `json:"number"`
	// At is when the attempt began.
	At time.Time `json:"at"`
	// Duration is how long it took, in nanoseconds.
	Duration time.Duration `json:"duration_ns"`
	// Code is the HTTP status the receiver answered with, 0 if none came.
	Code int `json:"code,omitempty"`
	// Error says in words what failed, without path or query of the receiver's
	// URL. Empty on success.
	Error string `json:"error,omitempty"`
	// Response is the beginning of the receiver's answer.
	Response []byte `json:"response,omitempty"`
	// Sent is what is kept of the request.
	Sent Sent `json:"sent,omitzero"`
}
