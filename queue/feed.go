// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Feed reads events in the order in which they were committed, for whoever fetches them
// or checks that none is missing.
//
// A reader who goes on from [FeedPage.Next] gets each event of the feed once, and in
// order, whatever is committed, restarted or removed meanwhile; where that cannot be
// promised, it is told, with [ErrExpired]. It sees an event only when that survives what
// the configured durability says, and then no event is committed any more that comes
// before it.
type Feed interface {
	// ReadFeed returns the events of a feed behind a position, at most limit of them
	// ([DefaultLimit] if 0, and never more than [MaxLimit]). A page ends before that
	// when its contents have [MaxFeedPage] bytes, or when many events had to be looked
	// at.
	//
	// It fails with an [ExpiredError] if events behind the position may have been
	// removed, or if the position is of another queue. Events are removed when their
	// retention has passed, which may be told up to a thousandth of it too early, and
	// by [Trimmer].
	ReadFeed(ctx context.Context, of Scope, after Position, limit int) (FeedPage, error)

	// AwaitFeed waits until there is an event of the feed behind a position, and fails
	// as ReadFeed does. With a queue of one process, it is told by whoever commits.
	AwaitFeed(ctx context.Context, of Scope, after Position) error

	// FeedEnds returns the oldest position from which all feeds can be read, and the
	// position behind the last event.
	FeedEnds(ctx context.Context) (oldest, latest Position, err error)

	// FeedSince returns a position behind which are all events that are kept and were
	// committed at a time or later, and few others.
	FeedSince(ctx context.Context, t time.Time) (Position, error)
}

// MaxFeedPage is when a page of a feed ends before its limit, in bytes of payloads and
// previous Shows.
const MaxFeedPage = 4 << 20

// FeedPage is a part of a feed.
type FeedPage struct {
	Entries []FeedEntry
	// Next is how far was looked, from which the next page goes on. It moves although
	// nothing is found, so a reader of a feed in which nothing happens does not fall
	// behind.
	Next Position
	// More is true if there were events behind Next, of the feed or not.
	More bool
}

// FeedEntry is an event of a feed.
type FeedEntry struct {
	// Position is the one behind the event.
	Position Position
	// Event is the whole event. A subscriber may have no more of it than [event.Event.For]
	// returns.
	Event event.Event

	// Status is where the delivery to the endpoint stands, Filtered is true if there is
	// none, as [Routed.Filtered] names the endpoint, and Format is the endpoint's of
	// [Routed.Formats]. They mean nothing in feeds that are not an endpoint's.
	Status   Status
	Filtered bool
	Format   string
}

// Scope says whose events a feed has. The zero Scope has none.
type Scope struct {
	kind scopeKind
	name string
}

type scopeKind byte

const (
	scopeNothing scopeKind = iota
	scopeEverything
	scopeTenant
	scopeEndpoint
)

// Everything is the scope of all events, whoever may have them.
func Everything() Scope { return Scope{kind: scopeEverything} }

// OfTenant is the scope of the events that a tenant's feed has, see
// [event.Event.InFeedOf]. The tenant "" is the operator.
func OfTenant(tenant string) Scope { return Scope{kind: scopeTenant, name: tenant} }

// OfEndpoint is the scope of the events that were routed to an endpoint, wherever their
// deliveries stand, and of those that its filter left out. An event that was replayed to
// the endpoint is among them, in its own place: a reader who has passed that place does
// not meet it.
func OfEndpoint(endpoint string) Scope { return Scope{kind: scopeEndpoint, name: endpoint} }

// Everything reports whether the scope is that of all events.
func (s Scope) Everything() bool { return s.kind == scopeEverything }

// Tenant returns the tenant of a tenant's scope.
func (s Scope) Tenant() (tenant string, ok bool) { return s.name, s.kind == scopeTenant }

// Endpoint returns the endpoint of an endpoint's scope.
func (s Scope) Endpoint() (endpoint string, ok bool) { return s.name, s.kind == scopeEndpoint }

// ScopesOf returns the scopes that have an event: those whose readers wait for it.
func ScopesOf(scopes []Scope, e *event.Event, endpoints, filtered []string) []Scope {
	scopes = append(scopes, Everything())
	if e.InFeedOf("") {
		scopes = append(scopes, OfTenant(""))
	}
	if e.Tenant != "" && e.InFeedOf(e.Tenant) {
		scopes = append(scopes, OfTenant(e.Tenant))
	}
	for _, names := range [][]string{endpoints, filtered} {
		for _, endpoint := range names {
			scopes = append(scopes, OfEndpoint(endpoint))
		}
	}
	return scopes
}

// Filtereds lists the events that filters have left out: a filter that is wrong is a loss
// to whoever wrote it.
type Filtereds interface {
	// Filtered lists the events that were not sent to an endpoint because of its filter,
	// newest first. They have neither their payloads nor their previous Shows: a page of
	// those would be read as a whole, however large each is.
	Filtered(ctx context.Context, endpoint string, page Page) ([]event.Event, Cursor, error)
	// CountFiltered counts them, up to [MaxCount].
	CountFiltered(ctx context.Context, endpoint string) (int, error)
	// WasFiltered reports whether an event is one of them. It is false for one that is
	// not kept any more.
	WasFiltered(ctx context.Context, endpoint, eventID string) (bool, error)
}
