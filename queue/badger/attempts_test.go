// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// listAttempts returns the listed attempts, which are the same in pages of any
// size.
func listAttempts(t *testing.T, s *Store, filter queue.Filter) []queue.Attempt {
	t.Helper()
	all, next, err := s.Attempts(t.Context(), filter, queue.Page{Limit: queue.MaxLimit})
	must(t, err)
	if next != "" {
		t.Fatalf("there are more than %d attempts", len(all))
	}
	for size := 1; size <= 3; size++ {
		var got []queue.Attempt
		for page := (queue.Page{Limit: size}); ; {
			rows, next, err := s.Attempts(t.Context(), filter, page)
			must(t, err)
			got = append(got, rows...)
			if page.Cursor = next; next == "" {
				break
			}
		}
		if lines(got) != lines(all) {
			t.Errorf("in pages of %d: got\n%s\nwant\n%s", size, lines(got), lines(all))
		}
	}
	return all
}

func lines(attempts []queue.Attempt) string {
	var b bytes.Buffer
	for i := range attempts {
		a := &attempts[i]
		fmt.Fprintf(&b, "%s>%s#%d %d %q\n", a.EventID, a.Endpoint, a.Number, a.Code, a.Error)
	}
	return b.String()
}

func wantListed(t *testing.T, s *Store, filter queue.Filter, want ...string) {
	t.Helper()
	var got []string
	for _, a := range listAttempts(t, s, filter) {
		got = append(got, fmt.Sprintf("%s>%s#%d", a.EventID, a.Endpoint, a.Number))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v: got %q, want %q", filter, got, want)
	}
}

// checkAttempts checks that each delivery has the attempts that it counts, and
// that its record holds an attempt only if that is the only one.
func checkAttempts(t *testing.T, s *Store) {
	t.Helper()
	want := make(map[string]int)
	must(t, s.db.View(func(txn *badgerdb.Txn) error {
		return each(txn, kindDelivery, func(item *badgerdb.Item) error {
			row, err := deliveryOf(item)
			must(t, err)
			must(t, s.joinLane(txn, row.position, &row.Delivery))
			want[row.EventID+">"+row.Endpoint] = row.Attempts
			record, err := item.ValueCopy(nil)
			must(t, err)
			first, held, err := parseFirst(row.Endpoint, record)
			must(t, err)
			if !held {
				return nil
			}
			if row.Status == queue.StatusPending || row.Attempts != 1 || first.Number != 1 {
				t.Errorf("%+v holds %+v", row.Delivery, first)
			}
			if _, err := txn.Get(attemptKey(nil, row.Endpoint, row.position, 1)); err == nil {
				t.Errorf("the first attempt of %+v is there twice", row.Delivery)
			}
			return nil
		})
	}))
	page := queue.Page{Limit: queue.MaxLimit}
	for {
		attempts, next, err := s.Attempts(t.Context(), queue.Filter{}, page)
		must(t, err)
		for _, a := range attempts {
			name := a.EventID + ">" + a.Endpoint
			if a.Number != want[name] {
				t.Errorf("got attempt %d of %s, want %d", a.Number, name, want[name])
			}
			want[name]--
		}
		if page.Cursor = next; next == "" {
			break
		}
	}
	for name, left := range want {
		if left != 0 {
			t.Errorf("%d attempts of %s are missing", left, name)
		}
	}
}

// A delivery that its first attempt decides costs no row for that attempt. When
// it is redelivered, the attempt becomes a row, and expires when it would have
// expired.
func TestFirstAttempt(t *testing.T) {
	clock := newClock(time.Now().Truncate(time.Second))
	s := mustOpen(t, Options{Retention: time.Hour, Now: clock.now})
	publish(t, s, "1", "erp", "crm")
	finish(t, s, "erp", queue.Verdict{Status: queue.StatusDelivered})
	finish(t, s, "crm", queue.Verdict{Status: queue.StatusPending, RetryAt: clock.now()})
	finish(t, s, "crm", queue.Verdict{Status: queue.StatusDelivered})
	if rows := countKeys(t, s, kindAttempt); rows != 2 {
		t.Errorf("there are %d rows of attempts, want 2", rows)
	}
	expires := expiryOf(t, s, deliveryKey(nil, "erp", s.lastPosition))
	all := []string{"items/1-1>crm#2", "items/1-1>crm#1", "items/1-1>erp#1"}
	wantListed(t, s, queue.Filter{}, all...)
	checkAttempts(t, s)

	clock.add(10 * time.Minute)
	if n, _, err := s.Redeliver(t.Context(), queue.Selection{}, queue.Page{}); err != nil || n != 2 {
		t.Fatalf("redelivered %d: %v", n, err)
	}
	if got := expiryOf(t, s, attemptKey(nil, "erp", s.lastPosition, 1)); got != expires || got == 0 {
		t.Errorf("the attempt expires at %d, want %d", got, expires)
	}
	wantListed(t, s, queue.Filter{}, all...)
	checkAttempts(t, s)
	finish(t, s, "erp", queue.Verdict{Status: queue.StatusDelivered})
	wantListed(t, s, queue.Filter{Endpoint: "erp"}, "items/1-1>erp#2", "items/1-1>erp#1")
	checkAttempts(t, s)
}

// olderDelivery makes a delivery's record what the second version wrote.
func olderDelivery(record []byte) []byte {
	record[0] = 2
	return record[:len(record)-1]
}

// unsaid makes a delivery's record what the third version wrote of the same attempt, which has
// sent nothing.
func unsaid(t *testing.T, record []byte) []byte {
	t.Helper()
	f, err := parseDeliveryFields(record)
	must(t, err)
	d := f.delivery("erp")
	older := appendDelivery(nil, &d, bytes.TrimSuffix(f.first, nothingSent))
	older[0] = 3
	return older
}

// Attempts of an earlier version are listed once each, in their order, and
// their deliveries can be redelivered.
func TestAttemptsOfEarlierVersion(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir})
	for _, id := range []string{"1", "2", "3"} {
		publish(t, s, id, "erp", "crm")
		finish(t, s, "erp", queue.Verdict{Status: queue.StatusDelivered})
	}
	finish(t, s, "crm", queue.Verdict{Status: queue.StatusDead})
	second := s.lastPosition - 1
	must(t, s.Close())
	// The rows of the second endpoint become those of an earlier version.
	rewrite(t, dir, func(txn *badgerdb.Txn) error {
		key := deliveryKey(nil, "erp", second)
		item, err := txn.Get(key)
		must(t, err)
		record, err := item.ValueCopy(nil)
		must(t, err)
		f, err := parseDeliveryFields(record)
		must(t, err)
		d := f.delivery("erp")
		must(t, txn.Set(key, olderDelivery(appendDelivery(nil, &d, nil))))
		attempt := bytes.TrimSuffix(appendAttempt(nil, d.EventID, f.first), nothingSent)
		attempt[0] = 1
		must(t, txn.Set(attemptKey(nil, "erp", second, 1), attempt))
		// The third version held the attempt, without what it sent.
		key = deliveryKey(nil, "erp", second+1)
		item, err = txn.Get(key)
		must(t, err)
		record, err = item.ValueCopy(nil)
		must(t, err)
		return txn.Set(key, unsaid(t, record))
	})
	s = mustOpen(t, Options{Dir: dir})
	all := []string{"items/3-1>erp#1", "items/2-1>erp#1", "items/1-1>crm#1", "items/1-1>erp#1"}
	wantListed(t, s, queue.Filter{}, all...)
	wantListed(t, s, queue.Filter{Endpoint: "erp"}, "items/3-1>erp#1", "items/2-1>erp#1", "items/1-1>erp#1")
	wantListed(t, s, queue.Filter{EventID: "items/2-1"}, "items/2-1>erp#1")
	checkAttempts(t, s)
	if n, _, err := s.Redeliver(t.Context(), queue.Selection{Endpoint: "erp"}, queue.Page{}); err != nil || n != 3 {
		t.Fatalf("redelivered %d: %v", n, err)
	}
	wantListed(t, s, queue.Filter{}, all...)
	for range 3 {
		finish(t, s, "erp", queue.Verdict{Status: queue.StatusDelivered})
	}
	wantListed(t, s, queue.Filter{EventID: "items/2-1"}, "items/2-1>erp#2", "items/2-1>erp#1")
	checkAttempts(t, s)
	if got := s.Damaged(); got != 0 {
		t.Errorf("%d rows are taken for damaged", got)
	}
}

// Where a lane's row was damaged, attempts are counted from 1 again: of those
// with number 1, only the last is listed.
func TestAttemptsCountedAgain(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir})
	publish(t, s, "1", "erp", "crm")
	publish(t, s, "1", "erp")
	finish(t, s, "crm", queue.Verdict{Status: queue.StatusDelivered})
	must(t, s.SetOrder(t.Context(), "erp", queue.OrderNone))
	for range 2 {
		held, err := s.LeaseDelivery(t.Context(), "erp", queue.LeaseOptions{For: time.Hour})
		must(t, err)
		if held.Sequence == 2 {
			verdict := queue.Verdict{Status: queue.StatusPending, RetryAt: time.Now()}
			must(t, s.FinishAttempt(t.Context(), held, queue.Attempt{Code: 503}, verdict))
		}
	}
	must(t, s.Close())
	rewrite(t, dir, func(txn *badgerdb.Txn) error {
		return txn.Set(laneKey(nil, "erp", objectName(item("1")), s.lastPosition), []byte{1, 0xff})
	})
	s = mustOpen(t, Options{Dir: dir})
	for range 2 {
		finish(t, s, "erp", queue.Verdict{Status: queue.StatusDelivered})
	}
	if rows := countKeys(t, s, kindAttempt); rows != 1 {
		t.Errorf("there are %d rows of attempts, want that of before", rows)
	}
	for _, filter := range []queue.Filter{{EventID: "items/1-2", Endpoint: "erp"}, {EventID: "items/1-2"}} {
		if got := lines(listAttempts(t, s, filter)); got != "items/1-2>erp#1 200 \"\"\n" {
			t.Errorf("got %s", got)
		}
	}
	wantListed(t, s, queue.Filter{}, "items/1-2>erp#1", "items/1-1>crm#1", "items/1-1>erp#1")
}

// Large answers become rows of their own a few at a time, as one transaction
// does not take all.
func TestLargeFirstAttempts(t *testing.T) {
	s := mustOpen(t, Options{Durability: queue.Process})
	const deliveries, size = 20, 400 << 10
	for i := range deliveries {
		publish(t, s, fmt.Sprint(i), "erp")
		response := bytes.Repeat([]byte{byte(i)}, size)
		must(t, s.FinishAttempt(t.Context(), leaseDelivery(t, s, "erp"), queue.Attempt{Response: response}, queue.Verdict{Status: queue.StatusDelivered}))
	}
	if deliveries*size < maxBytes {
		t.Fatal("one transaction takes all")
	}
	if n, _, err := s.Redeliver(t.Context(), queue.Selection{}, queue.Page{Limit: deliveries}); err != nil || n != deliveries {
		t.Fatalf("redelivered %d: %v", n, err)
	}
	for i, a := range listAttempts(t, s, queue.Filter{}) {
		if want := bytes.Repeat([]byte{byte(deliveries - 1 - i)}, size); !bytes.Equal(a.Response, want) {
			t.Errorf("the answer to %s is another", a.EventID)
		}
	}
	checkAttempts(t, s)
}

// The size that a write counts before it is in a batch limits what it writes.
func TestNeedsOfAttempts(t *testing.T) {
	s := mustOpen(t, Options{Durability: queue.Process})
	long := strings.Repeat("x", 300)
	publish(t, s, long, long)
	attempt := queue.Attempt{At: at, Duration: time.Hour, Code: 599, Error: long, Response: []byte(strings.Repeat(long, 100))}
	stage := func(wr write) {
		t.Helper()
		b := newBatch(s)
		b.begin()
		defer b.txn.Discard()
		must(t, wr.stage(b))
		written := 0
		for _, entry := range b.entries {
			written += len(entry.Key) + len(entry.Value)
		}
		w := wr.wait()
		if written == 0 || written > w.bytes || b.rows > w.entries {
			t.Errorf("%T writes %d bytes in %d records, and needs %d in %d", wr, written, b.rows, w.bytes, w.entries)
		}
		wr.aborted(s)
	}
	for _, status := range []queue.Status{queue.StatusDelivered, queue.StatusPending} {
		for range 2 {
			held := leaseDelivery(t, s, long)
			verdict := queue.Verdict{Status: status, RetryAt: time.Now()}
			stage(newFinishAttempt(&held, &attempt, verdict, time.Now()))
			must(t, s.FinishAttempt(t.Context(), held, attempt, verdict))
			if status == queue.StatusPending {
				continue
			}
			found, err := s.selectDeliveries(t.Context(), queue.Selection{}, queue.Page{}, 1)
			must(t, err)
			wr := (&reopen{rows: found.rows, now: time.Now()}).reserved()
			must(t, wr.needRows(found.rows))
			stage(wr)
			_, _, err = s.Redeliver(t.Context(), queue.Selection{}, queue.Page{})
			must(t, err)
		}
	}
}

// A damaged delivery's record loses its own attempt, and no other.
func TestDamagedFirstAttempt(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir})
	for _, id := range []string{"1", "2", "3"} {
		publish(t, s, id, "erp")
		finish(t, s, "erp", queue.Verdict{Status: queue.StatusDelivered})
	}
	second := s.lastPosition - 1
	must(t, s.Close())
	rewrite(t, dir, func(txn *badgerdb.Txn) error {
		return txn.Set(deliveryKey(nil, "erp", second), []byte{deliveryVersion, 0xff})
	})
	s = mustOpen(t, Options{Dir: dir})
	wantListed(t, s, queue.Filter{}, "items/3-1>erp#1", "items/1-1>erp#1")
	if s.Damaged() == 0 {
		t.Error("no row is taken for damaged")
	}
}

// Deliveries without an attempt in their record cost a list no more than a
// look.
func TestPassingOver(t *testing.T) {
	pending := appendDelivery(nil, &deliveryExample, nil)
	if allocs := testing.AllocsPerRun(100, func() {
		if holds, err := holdsFirst(pending); holds || err != nil {
			t.Errorf("got %v, %v", holds, err)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations, want none", allocs)
	}
}
