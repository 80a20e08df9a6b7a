// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// An API that takes the time of a change before it waits for its turn to write.
// The change of time 4 is committed after that of time 5 and is the object's state.
func TestVersionThatGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.api.set(`{"v":5,"state":"a"}`)
		b.mark(queue.Mark{Hints: queue.HintCreated, Version: "5"})
		b.expect("items.created")
		b.api.set(`{"v":4,"state":"b"}`)
		b.mark(queue.Mark{Hints: queue.HintUpdated, Version: "4"})
		pass(7 * 24 * time.Hour)
		b.expect("items.created", "items.updated")
	})
}

// Deleted and created again under its id between two looks; the new life's
// versions restart.
func TestSecondLifeBetweenTwoShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.api.set(`{"v":5,"state":"a"}`)
		b.mark(queue.Mark{Hints: queue.HintCreated, Version: "5"})
		b.expect("items.created")
		b.api.set(`{"v":1,"state":"b"}`)
		secondLife := queue.Resolution{Marks: []queue.Mark{
			{Key: testKey, Hints: queue.HintDeleted},
			{Key: testKey, Hints: queue.HintCreated, Version: "1"},
		}}
		if err := b.store.ResolveIntent(t.Context(), 0, secondLife, true); err != nil {
			t.Fatal(err)
		}
		pass(7 * 24 * time.Hour)
		b.expect("items.created", "items.updated")
	})
}

// A confirmed delete, and a replica that shows the object a moment longer.
func TestDeleteThatAReplicaMisses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.api.set(`{"v":5,"state":"a"}`)
		b.mark(queue.Mark{Hints: queue.HintCreated, Version: "5"})
		b.expect("items.created")
		b.mark(queue.Mark{Hints: queue.HintDeleted})
		pass(time.Second)
		b.api.set("")
		pass(7 * 24 * time.Hour)
		b.expect("items.created", "items.deleted")
	})
}

// Changed and deleted between two looks, and a replica that shows the change a
// moment longer: the change is published, and so is the delete.
func TestDeleteBehindAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.api.set(`{"v":5,"state":"a"}`)
		b.mark(queue.Mark{Hints: queue.HintCreated, Version: "5"})
		b.expect("items.created")
		b.api.set(`{"v":6,"state":"b"}`)
		b.mark(queue.Mark{Hints: queue.HintUpdated | queue.HintDeleted, SettleAt: time.Now().Add(30 * time.Second)})
		b.expect("items.created", "items.updated")
		b.api.set("")
		pass(time.Minute)
		b.expect("items.created", "items.updated", "items.deleted")
		if n := b.marks(); n != 0 {
			t.Errorf("%d marks are left", n)
		}
	})
}

// Deleted, and then written by an exchange of unknown outcome, which created it
// again. The delete is confirmed, and so is what the API shows.
func TestSecondLifeThatNobodyConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.api.set(`{"v":5,"state":"a"}`)
		b.mark(queue.Mark{Hints: queue.HintCreated, Version: "5"})
		b.expect("items.created")
		b.api.set(`{"v":6,"state":"b"}`)
		settleAt := time.Now().Add(30 * time.Second)
		secondLife := queue.Resolution{Marks: []queue.Mark{
			{Key: testKey, Hints: queue.HintDeleted, SettleAt: settleAt},
			{Key: testKey, SettleAt: settleAt},
		}}
		if err := b.store.ResolveIntent(t.Context(), 0, secondLife, true); err != nil {
			t.Fatal(err)
		}
		b.expect("items.created", "items.updated")
		pass(time.Minute)
		b.expect("items.created", "items.updated")
		if n := b.marks(); n != 0 {
			t.Errorf("%d marks are left", n)
		}
	})
}
