// SPDX-License-Identifier: Apache-2.0

// Package queuetest holds an engine to the words of package queue. An engine's
// tests call [Run].
package queuetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Open opens a new and empty queue. The suite closes it.
type Open func(t *testing.T, now func() time.Time) queue.Store

// Run runs the suite. It lets figures be some seconds old; engines of one
// process run [RunAlone], too. Every engine also runs [RunKept] or [RunUnkept]. Each test runs in a bubble of testing/synctest
// and opens its queue there, so an engine must wait with timers and channels.
func Run(t *testing.T, open Open) {
	tests := []struct {
		name string
		test func(t *testing.T, s queue.Store)
	}{
		{"intent ids rise", intentIDsRise},
		{"intents go stale at their deadline", intentsGoStale},
		{"an intent without an object is kept", intentIsKept},
		{"resolving twice only marks", resolvingTwice},
		{"resolving without waiting", resolvingWithoutWaiting},
		{"marks of one object merge", marksMerge},
		{"a mark is leased once", markIsLeasedOnce},
		{"marks that are due longest come first", marksInOrder},
		{"a mark that is made again keeps its place", markKeepsItsPlace},
		{"a mark's lease passes", markLeasePasses},
		{"a lease waits for a mark", leaseWaitsForMark},
		{"resources do not wait for each other", resourcesAreApart},
		{"a reconciliation clears its mark", reconciliationClears},
		{"a mark that moved stays", movedMarkStays},
		{"an unsettled mark stays until it settles", unsettledMarkStays},
		{"a retried mark waits", retriedMarkWaits},
		{"a retried mark that moved does not wait", retriedMarkMoved},
		{"a mark that waits is due when marked again", waitingMarkIsHastened},
		{"a lost lease changes nothing", lostLease},
		{"a reconciled object is looked at later", lookComes},
		{"a look that waits for its turn is hurried by no client", lookWaits},
		{"a look whose lease has passed is due as before", lookLeasePasses},
		{"a look is hastened", lookIsHastened},
		{"marks go before looks", marksBeforeLooks},
		{"a look does not hasten a mark", lookDoesNotHasten},
		{"a postponed look waits", postponedLook},
		{"an unconfirmed mark goes last", unconfirmedYields},
		{"an unconfirmed mark has its turn", unconfirmedTurns},
		{"a reconciliation marks others", reconciliationMarks},
		{"a reconciliation of many marks", manyMarks},
		{"a reconciliation that finds nothing", reconciliationUnresolved},
		{"unresolved records are dismissed", unresolvedDismissed},
		{"a mark brings a callback", callbackComes},
		{"a callback takes nobody's place", callbackIsFirst},
		{"a callback is sealed again", callbackSealedAgain},
		{"objects are listed", objectsListed},
		{"marked objects that nobody has seen are listed", unseenListed},
		{"objects that are gone are forgotten", goneForgotten},
		{"an object that something is open of is not forgotten", openNotForgotten},
		{"another name is forgotten with its object", aliasForgotten},
		{"many objects are forgotten", manyForgotten},
		{"an object is introduced", introducing},
		{"an object that has moved is not introduced", movedNotIntroduced},
		{"what must not be introduced", notIntroduced},
		{"a snapshot that is not the caller's", introducingForAnother},
		{"an introduction is decided by the present endpoints", introducingStale},
		{"a bad introduction is refused", badIntroductions},
		{"a large object is introduced", introducingLarge},
		{"introductions and changes at once", introducingAtOnce},
		{"objects that nobody has read are listed", unreadListed},
		{"a snapshot comes back", snapshotComesBack},
		{"an event comes back", eventComesBack},
		{"what changed stays with an event", changedComesBack},
		{"a format stays with its delivery", formatStays},
		{"large payloads come back", largePayloads},
		{"large Shows come back", largeShows},
		{"a lane is in order", laneIsInOrder},
		{"lanes do not wait for each other", lanesAreApart},
		{"a delivery's lease passes", deliveryLeasePasses},
		{"a retried delivery waits", retriedDeliveryWaits},
		{"a released delivery is due", releasedDelivery},
		{"a postponed delivery waits", postponedDelivery},
		{"what there is no room for waits", admission},
		{"waiting deliveries are hastened", hastening},
		{"the next delivery is hastened", hasteningNext},
		{"an endpoint in order is hastened", hasteningInOrder},
		{"deliveries without an order are hastened", hasteningWithoutOrder},
		{"a decided delivery is history", decidedDelivery},
		{"a lane goes on while it is leased", laneGrows},
		{"a verdict must be one", badVerdict},
		{"an endpoint in order", endpointInOrder},
		{"deliveries without an order", deliveriesWithoutOrder},
		{"an order changes", orderChanges},
		{"the latest order counts", latestOrder},
		{"a lane is coalesced", coalescing},
		{"decided deliveries are delivered again", redelivering},
		{"waiting deliveries are delivered at once", redeliveringWaiting},
		{"events are replayed", replaying},
		{"a tenant's events are replayed", replayingOfTenant},
		{"deliveries are cancelled", cancelling},
		{"deliveries expire", expiring},
		{"operational events are announced", announcing},
		{"events that somebody made up are of no object", announcingTests},
		{"a bad cursor of an operation is refused", badOperationCursor},
		{"records change as they are expected to be", recordsChange},
		{"changes of records are all done or none", changesAllOrNone},
		{"bad changes of records are refused", badChanges},
		{"records expire", recordsExpire},
		{"records are listed", recordsListed},
		{"large records are listed", largeRecordsListed},
		{"values of records are the store's own", valuesAreTheirs},
		{"one of many changes a record", oneWins},
		{"epochs move", epochsMove},
		{"changes of records are known", changesKnown},
		{"records have strange names", strangeRecords},
		{"events are routed to the present endpoints", routedToPresent},
		{"a commit is guarded by a record", guarded},
		{"an acknowledged endpoint misses nothing", endpointMissesNothing},
		{"a feed is in order", feedInOrder},
		{"a feed tells tenants what is theirs", feedTellsTenants},
		{"a tenant's events are listed", tenantEvents},
		{"a tenant's events are listed a part at a time", tenantEventsAreLimited},
		{"a feed keeps formats", feedFormats},
		{"a feed of large events", feedLarge},
		{"a feed wakes its readers", feedWaits},
		{"a feed refuses positions of another queue", feedOfAnother},
		{"a feed tells what was trimmed", feedTrimmed},
		{"a feed tells what has expired", feedExpires},
		{"a feed keeps what was decided in a short retention", feedDecidedBriefly},
		{"a feed begins at a time", feedSince},
		{"filtered events are listed", filteredListed},
		{"maintenance is kept", maintenanceKept},
		{"an event is its tenant's", eventOfTenant},
		{"the last event of an object", lastEventOfObject},
		{"deliveries of an event to some endpoints", deliveriesOfEvent},
		{"lists have pages", listsHavePages},
		{"lists have filters", listsHaveFilters},
		{"attempts are listed however they ended", attemptsListed},
		{"a bad cursor is refused", badCursor},
		{"strange names are names", strangeNames},
		{"what an endpoint may have", permitting},
		{"a caller who leaves", callerLeaves},
		{"closing", closing},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, time.Now)
				defer func() {
					if err := s.Close(); err != nil {
						t.Errorf("Close: %v", err)
					}
				}()
				test.test(t, s)
			})
		})
	}
	t.Run("model", func(t *testing.T) { RunModel(t, open) })
}

// lease is the time of the suite's leases.
const lease = time.Minute

// idle is how long the suite waits for a lease that must not come. Clocks in a
// bubble move only when all goroutines wait, so any time will do.
const idle = time.Nanosecond

func item(id string) event.Key {
	return event.Key{Resource: "items", ID: id}
}

// must fails the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func note(t *testing.T, s queue.Store, intent queue.Intent) queue.IntentID {
	t.Helper()
	id, err := s.NoteIntent(t.Context(), intent)
	must(t, err)
	return id
}

func mark(t *testing.T, s queue.Store, marks ...queue.Mark) {
	t.Helper()
	must(t, s.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: marks}, true))
}

func markKey(t *testing.T, s queue.Store, keys ...event.Key) {
	t.Helper()
	for _, key := range keys {
		mark(t, s, queue.Mark{Key: key})
	}
}

func leaseMark(t *testing.T, s queue.Store, resource string) queue.MarkLease {
	t.Helper()
	got, err := tryMark(t.Context(), s, resource)
	if err != nil {
		t.Fatalf("leasing a mark of %s: %v", resource, err)
	}
	return got
}

// noMark checks that no mark of the resource is due.
func noMark(t *testing.T, s queue.Store, resource string) {
	t.Helper()
	if got, err := tryMark(t.Context(), s, resource); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("leasing a mark of %s: got %v and %v, want none to be due", resource, got, err)
	}
}

func tryMark(ctx context.Context, s queue.Store, resource string) (queue.MarkLease, error) {
	ctx, cancel := context.WithTimeout(ctx, idle)
	defer cancel()
	return s.LeaseMark(ctx, resource, lease)
}

func leaseDelivery(t *testing.T, s queue.Store, endpoint string) queue.DeliveryLease {
	t.Helper()
	got, err := tryDelivery(t.Context(), s, endpoint)
	if err != nil {
		t.Fatalf("leasing a delivery to %s: %v", endpoint, err)
	}
	return got
}

// noDelivery checks that no delivery to the endpoint is due.
func noDelivery(t *testing.T, s queue.Store, endpoint string) {
	t.Helper()
	if got, err := tryDelivery(t.Context(), s, endpoint); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("leasing a delivery to %s: got %v and %v, want none to be due", endpoint, got.EventID, err)
	}
}

func tryDelivery(ctx context.Context, s queue.Store, endpoint string) (queue.DeliveryLease, error) {
	ctx, cancel := context.WithTimeout(ctx, idle)
	defer cancel()
	return s.LeaseDelivery(ctx, endpoint, queue.LeaseOptions{For: lease})
}

// publish marks an object and reconciles it into an event, and returns the
// event's id.
func publish(t *testing.T, s queue.Store, key event.Key, endpoints ...string) string {
	t.Helper()
	markKey(t, s, key)
	held := leaseMark(t, s, key.Resource)
	sequence := uint64(1)
	if held.Snapshot != nil {
		sequence = held.Snapshot.Sequence + 1
	}
	e := event.Event{
		ID:       fmt.Sprintf("%s-%d", key, sequence),
		Type:     key.Resource + ".updated",
		Key:      key,
		Sequence: sequence,
		Op:       event.OpChange,
		Time:     time.Now(),
		Payload:  []byte(fmt.Sprintf(`{"sequence":%d}`, sequence)),
	}
	epoch, err := s.Epoch(t.Context(), queue.KindEndpoint)
	must(t, err)
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{
		AskedAt:  time.Now(),
		Epoch:    epoch,
		Snapshot: &event.Snapshot{Key: key, Sequence: sequence, Time: time.Now()},
		Events:   []queue.Routed{{Event: e, Endpoints: endpoints}},
	}))
	return e.ID
}

func delivered() queue.Verdict {
	return queue.Verdict{Status: queue.StatusDelivered}
}

// statsAge is the greatest age of a queue's figures.
const statsAge = 30 * time.Second

// wantStats waits until the figures of a queue are as wanted.
func wantStats(t *testing.T, s queue.Store, wanted func(got queue.Stats) bool) {
	t.Helper()
	for deadline := time.Now().Add(statsAge); ; time.Sleep(statsAge / 100) {
		got, err := s.Stats(t.Context())
		must(t, err)
		if wanted(got) {
			return
		}
		if !time.Now().Before(deadline) {
			t.Errorf("got %+v", got)
			return
		}
	}
}

// wantPending waits until so many deliveries and lanes are pending, by
// endpoint. Without lanes, these are not looked at.
func wantPending(t *testing.T, s queue.Store, deliveries, lanes map[string]int) {
	t.Helper()
	wantStats(t, s, func(got queue.Stats) bool {
		return maps.Equal(got.PendingDeliveries, deliveries) && (lanes == nil || maps.Equal(got.Lanes, lanes))
	})
}
