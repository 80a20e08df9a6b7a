// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Operations is what operators and subscribers may do to deliveries.
//
// Redeliver, Replay, Cancel and Expire work through a selection in small steps,
// oldest first by endpoint: each call acts on at most page.Limit rows, looks at
// not many more, and returns how many it has changed and where the next call
// goes on; "" is the end. A call that finds nothing to do in its part returns 0
// and a cursor. All four are idempotent: deliveries that are as they would make
// them are left, and do not count. They return when the change survives what the
// configured durability says.
type Operations interface {
	// Redeliver makes decided deliveries pending again, due at once, and hastens
	// those that are pending and wait for a retry. They keep their place
	// in their lanes, so that an older event goes before a younger one that is
	// still pending. Their attempts go on counting, see
	// [Delivery.PriorAttempts]. Deliveries that are leased, or that have lost
	// their events, are left.
	Redeliver(ctx context.Context, selection Selection, page Page) (int, Cursor, error)

	// Replay makes pending deliveries of the selected events to one endpoint,
	// whether or not they were ever meant for it, due at once and in the order
	// of the events. Pending ones are left; decided ones are as with Redeliver.
	// Snapshots ([event.OpSnapshot]) are left, too: they were of one endpoint, at
	// that time. The selection's Endpoint and Statuses do not count.
	Replay(ctx context.Context, endpoint string, selection Selection, page Page) (int, Cursor, error)

	// Cancel decides pending deliveries that are not leased:
	// [StatusCancelled].
	Cancel(ctx context.Context, selection Selection, page Page) (int, Cursor, error)

	// Expire decides deliveries as Cancel does, because they have waited for too
	// long: [StatusDead]. That is work for one process, see
	// [Store.LeaseMaintenance].
	Expire(ctx context.Context, selection Selection, page Page) (int, Cursor, error)

	// Count counts the selected deliveries, up to [MaxCount].
	Count(ctx context.Context, selection Selection) (int, error)

	// Announce commits an operational event, which is about the module and not
	// about the API: that an endpoint was disabled, for example. The store gives
	// it the next sequence of its Key, counted in the Key's snapshot, and an ID.
	// The Key must be of a resource that nothing marks. Announce returns when
	// the event is durable.
	//
	// An event of [event.OpTest] keeps its ID and its sequence, which must be its
	// own, and leaves nothing behind for its Key: it is of no object.
	Announce(ctx context.Context, e event.Event, endpoints []string) error
}

// MaxCount limits [Operations.Count].
const MaxCount = 10_000

// Selection selects deliveries, or events, that are kept. Empty fields do not
// narrow it.
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
	// Tenant, unless it is "", narrows a replay to the events that the tenant's feed has,
	// see [event.Event.InFeedOf]. No others are looked at then.
	Tenant string
	// Permit, if not nil, says which deliveries may be selected. It is called
	// once for each that is selected otherwise, never at the same time, and
	// must not call the queue. The event is without its payload and its
	// previous Show. Deliveries that have lost their events are not selected.
	Permit Permit
}

// Permit reports whether an endpoint may have an event. Routed says whether the
// event was meant for it when it was committed.
type Permit func(endpoint string, e *event.Event, routed bool) bool
