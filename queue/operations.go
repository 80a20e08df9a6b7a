// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Operations is what operators and subscribers may do to deliveries.
//
// Redeliver, Replay, Cancel and Expire work through what is selected in small
// steps, oldest first by endpoint: each call acts on at most page.Limit rows,
// looks at not many more, and returns how many it has changed and where the next
// call goes on; "" is the end. A call that finds nothing to do in its part
// returns 0 and a cursor. All four are idempotent: what is as they would make it
// is left, and does not count. They return when the change survives what the
// configured durability says.
type Operations interface {
	// Redeliver makes decided deliveries pending again, due at once, and those
	// that are pending and wait for a retry due at once. They keep their place
	// in their lanes, so that an older event goes before a younger one that is
	// still pending. Their attempts go on counting, see
	// [Delivery.PriorAttempts]. What is leased, and what has lost its event, is
	// left.
	Redeliver(ctx context.Context, selection Selection, page Page) (int, Cursor, error)

	// Replay makes pending deliveries to one endpoint of the events that are
	// kept and selected, whether or not they were ever meant for it, due at
	// once and in the order of the events. One that is pending already is left;
	// one that was decided is as with Redeliver. The selection's Endpoint and
	// Statuses are not looked at.
	Replay(ctx context.Context, endpoint string, selection Selection, page Page) (int, Cursor, error)

	// Cancel decides pending deliveries that are not leased:
	// [StatusCancelled].
	Cancel(ctx context.Context, selection Selection, page Page) (int, Cursor, error)

	// Expire is Cancel for what nobody has decided, but what has waited for too
	// long: [StatusDead]. That is work for one process, see
	// [Store.LeaseMaintenance].
	Expire(ctx context.Context, selection Selection, page Page) (int, Cursor, error)

	// Count counts the deliveries that are selected, up to [MaxCount].
	Count(ctx context.Context, selection Selection) (int, error)

	// Announce commits an operational event, which is about the module and not
	// about the API: that an endpoint was disabled, for example. The store gives
	// it the next sequence of its Key, counted in the Key's snapshot, and an ID.
	// The Key must be of a resource that nothing marks. Announce returns when
	// the event is durable.
	Announce(ctx context.Context, e event.Event, endpoints []string) error
}

// MaxCount is as far as [Operations.Count] counts.
const MaxCount = 10_000

// Selection says which deliveries are meant, of those that are kept; empty
// fields do not narrow it.
type Selection struct {
	Endpoint string
	EventID  string
	// Types are the events' types; one of them is enough.
	Types []string
	Key   event.Key
	// Statuses are where the deliveries stand; one of them is enough.
	Statuses []Status
	// From and To limit when the event was committed: at From or after it, and
	// before To.
	From, To time.Time
}
