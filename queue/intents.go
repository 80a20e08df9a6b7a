// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Intents is what the handler needs of the queue.
//
// An intent has an owner: the process that noted it, and that will resolve it.
type Intents interface {
	// NoteIntent records that an exchange may change something, and returns
	// the number by which to resolve it. When it returns, the intent survives
	// what the configured durability says. The intent's own ID is ignored. One
	// that is Abandoned has no owner, and is stale at once.
	//
	// If it fails with a number, as when ctx ends too early, the intent may be
	// open all the same, and is to be resolved like any other.
	NoteIntent(ctx context.Context, intent Intent) (IntentID, error)

	// ResolveIntent closes an intent and marks objects, in one step. With an
	// id of 0, or one that is no longer open, it only marks.
	//
	// With durable, it returns when the marks survive what the configured
	// durability says. Without, it returns at once, and a crash of the owner may
	// lose it as a whole: then the intent is open and stale, and the sweep brings
	// its object back. Nothing else may lose it, as the intent of a living owner
	// would stay open. Use that only where the intent names the object.
	ResolveIntent(ctx context.Context, id IntentID, resolution Resolution, durable bool) error

	// StaleIntents returns open intents, oldest first, that need looking into:
	// those whose owner is gone, and those whose Deadline is not zero and has
	// passed. To an engine of one process, all earlier processes are gone; to
	// one of several, those that have not been heard of for a while. Stale
	// intents stay open, and are returned again, until resolved: the sweep is
	// work for one process, see [Store.LeaseMaintenance].
	StaleIntents(ctx context.Context, limit int) ([]Intent, error)
}

// IntentID numbers an intent. 0 is none.
type IntentID uint64

// Intent is the durable note, written before forwarding, that an exchange may
// change something.
type Intent struct {
	// ID numbers the intent. Of one owner, later intents have higher numbers.
	ID IntentID
	// Resource is the resource of the rule that matched.
	Resource string
	// Kind is what the request means to do.
	Kind event.Kind
	// Rule is the rule that matched, as "PATCH /items/:id".
	Rule string
	// Key names the object, where the request does; otherwise it is zero.
	Key event.Key
	// Touches names other objects that the exchange changes, as far as the
	// request names them. Where Key is zero they are the ones to bring back.
	Touches []event.Key
	// Noted is when the exchange began.
	Noted time.Time
	// Deadline is when the API can no longer commit what it was asked. Zero
	// where only the response names the object: then there is nothing to do
	// before the exchange ends, or the owner is gone.
	Deadline time.Time
	// Abandoned is true for an intent whose owner is gone: its exchange is over,
	// and nobody knows its outcome.
	Abandoned bool
	// Callback is a receiver that the request named, of an intent that an
	// earlier version noted. Nobody may be sent anything on an intent's word
	// alone; see [Mark.Callback].
	Callback []byte
	// Hops says through which endpoints the exchange came, as [event.Cause]
	// does. It comes back with the intent, so that a loop is found even over
	// exchanges whose end nobody saw.
	Hops string
}

// Limits of an intent. Every engine takes one that keeps to them.
const (
	// MaxCallback limits the sealed callback, in bytes.
	MaxCallback = 16 << 10
	// MaxIntent limits all of an intent, in bytes.
	MaxIntent = 4 << 20
)

// Resolution is what became of an intent.
type Resolution struct {
	// Marks names the objects that may differ now. A mark of an object that is
	// marked already is merged with it, and moves its generation.
	Marks []Mark
	// Unresolved, when not empty, keeps the intent as a record for the
	// operator, with this reason: an unknown object may have changed.
	Unresolved string
}
