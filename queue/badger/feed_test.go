// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// publishOwned commits one event of a tenant, that goes to erp and not to crm.
func publishOwned(t *testing.T, s *Store, id, tenant string) {
	t.Helper()
	must(t, publishingOwned(t, s, id, tenant))
}

func publishingOwned(t *testing.T, s *Store, id, tenant string) error {
	t.Helper()
	markItem(t, s, id)
	held := leaseMark(t, s)
	reconciled := found(held, "erp")
	reconciled.Epoch = s.epochs.Get(queue.KindEndpoint)
	one := &reconciled.Events[0]
	one.ID, one.Tenant, one.Filtered = id, tenant, []string{"crm"}
	return s.CommitReconciled(t.Context(), held, reconciled)
}

// feedIDs reads a feed to its end.
func feedIDs(t *testing.T, s *Store, of queue.Scope, after queue.Position) (ids []string, next queue.Position) {
	t.Helper()
	for {
		page, err := s.ReadFeed(t.Context(), of, after, 0)
		must(t, err)
		for i := range page.Entries {
			ids = append(ids, page.Entries[i].Event.ID)
		}
		if after = page.Next; !page.More {
			return ids, after
		}
	}
}

func wantFeed(t *testing.T, s *Store, of queue.Scope, after queue.Position, want string) queue.Position {
	t.Helper()
	got, next := feedIDs(t, s, of, after)
	if strings.Join(got, " ") != want {
		t.Errorf("%+v has %v, want %s", of, got, want)
	}
	return next
}

func wantExpired(t *testing.T, s *Store, p queue.Position) queue.Position {
	t.Helper()
	_, err := s.ReadFeed(t.Context(), queue.Everything(), p, 1)
	var expired *queue.ExpiredError
	if !errors.As(err, &expired) {
		t.Fatalf("from %v: %v, want ErrExpired", p, err)
	}
	return expired.Oldest
}

var acme, erp, crm = queue.OfTenant("acme"), queue.OfEndpoint("erp"), queue.OfEndpoint("crm")

// rowsOf returns the keys of the rows of some kinds, and when they expire.
func rowsOf(t *testing.T, s *Store, kinds string) map[string]uint64 {
	t.Helper()
	rows := make(map[string]uint64)
	must(t, s.db.View(func(txn *badgerdb.Txn) error {
		for _, kind := range []byte(kinds) {
			if err := each(txn, kind, func(item *badgerdb.Item) error {
				rows[string(item.KeyCopy(nil))] = item.ExpiresAt()
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	}))
	return rows
}

// An event takes one row for its tenant and one for each endpoint that it was filtered
// for, which go with it. A batch with events takes one for the log.
func TestFeedRows(t *testing.T) {
	s := mustOpen(t, Options{FreeSpace: noReserve})
	publishOwned(t, s, "1", "acme")
	publishOwned(t, s, "2", "")
	publishOwned(t, s, "3", strings.Repeat("x", 5000))
	last := s.lastPosition
	at := func(position uint64) uint64 { return rowsOf(t, s, "e")[string(numberKey(nil, kindEvent, position))] }
	want := map[string]uint64{
		string(tenantKey(nil, "acme", last-2)):                                 at(last - 2),
		string(tenantKey(nil, indexedTenant(strings.Repeat("x", 5000)), last)): at(last),
		string(filteredKey(nil, "crm", last-2)):                                at(last - 2),
		string(filteredKey(nil, "crm", last-1)):                                at(last - 1),
		string(filteredKey(nil, "crm", last)):                                  at(last),
	}
	got := rowsOf(t, s, "tF")
	if fmt.Sprint(got) != fmt.Sprint(want) || at(last) == 0 {
		t.Errorf("got %v, want %v", got, want)
	}
	if key := tenantKey(nil, "acme", 1); len(key) != 1+1+4+8 {
		t.Errorf("a tenant's row has %d bytes", len(key))
	}
	if spans := rowsOf(t, s, "n"); len(spans) != 1 {
		t.Errorf("%d spans", len(spans))
	}
	// Trimming removes all of them.
	for range 3 {
		finish(t, s, "erp", queue.Verdict{Status: queue.StatusDelivered})
	}
	if removed, _, err := s.Trim(t.Context()); removed != 3 || err != nil {
		t.Errorf("removed %d, %v", removed, err)
	}
	if left := rowsOf(t, s, "tFexda"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// What was committed and not synced is in no feed: a loss of power could take it back.
func TestFeedOfUnsynced(t *testing.T) {
	s := mustOpen(t, Options{})
	publishOwned(t, s, "1", "acme")
	at := wantFeed(t, s, acme, queue.Position{}, "1")
	sync := s.committer.sync
	s.committer.sync = func() error { return errors.New("input/output error") }
	markItem := s.committer.commits.Load()
	if err := s.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: item("2")}}}, true); err == nil || s.committer.commits.Load() == markItem {
		t.Fatal("the mark was not committed, or synced")
	}
	held := leaseMark(t, s)
	if err := s.CommitReconciled(t.Context(), held, found(held, "erp")); err == nil {
		t.Error("the sync did not fail")
	}
	for _, of := range []queue.Scope{acme, erp, crm, queue.Everything()} {
		if next := wantFeed(t, s, of, at, ""); next != at {
			t.Errorf("%+v has moved to %v", of, next)
		}
	}
	awake := make(chan error)
	go func() { awake <- s.AwaitFeed(t.Context(), erp, at) }()
	for !s.sleepers.Any() {
		select {
		case err := <-awake:
			t.Fatalf("nothing is readable, and the wait has ended with %v", err)
		default:
			runtime.Gosched()
		}
	}
	s.committer.sync = sync
	publishOwned(t, s, "3", "umbrella")
	must(t, <-awake)
	wantFeed(t, s, erp, at, "items/2-1 3")
}

// flushed waits until Badger has made tables of all logs but the one that it writes to.
func flushed(t *testing.T, dir string) {
	t.Helper()
	for {
		logs, err := logFiles(dir, "*.mem")
		must(t, err)
		if len(logs) == 1 {
			return
		}
		must(t, t.Context().Err())
		runtime.Gosched()
	}
}

// A power cut never takes back what a reader has seen. It leaves at least what was synced,
// and in the worst case no more.
func TestFeedPowerCut(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	var at queue.Position
	var want, seen []string
	for cut := range 4 {
		noPower := errors.New("no power")
		sync, commit := s.committer.sync, s.committer.commitTxn
		// The committer calls it, too, so it must not end its goroutine.
		read := func() {
			page, err := s.ReadFeed(t.Context(), acme, at, queue.MaxLimit)
			if err != nil {
				t.Error(err)
			}
			for i := range page.Entries {
				seen = append(seen, page.Entries[i].Event.ID)
			}
			at = page.Next
		}
		s.committer.sync = func() error {
			read()
			return sync()
		}
		s.committer.commitTxn = func(b *batch) error {
			err := commit(b)
			read()
			return err
		}
		for i := range 3 {
			id := fmt.Sprint(cut, "-", i)
			want = append(want, id)
			publishOwned(t, s, id, "acme")
			read()
		}
		// One more is committed, and the power goes before it is synced.
		disk := image(t, dir)
		s.committer.sync = func() error {
			read()
			return noPower
		}
		markItem := func() error {
			return s.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: item("lost")}}}, true)
		}
		if err := markItem(); err == nil {
			t.Error("the power did not go")
		}
		held := leaseMark(t, s)
		lost := found(held, "erp")
		lost.Events[0].ID, lost.Events[0].Tenant = fmt.Sprint("lost in ", cut), "acme"
		if err := s.CommitReconciled(t.Context(), held, lost); err == nil {
			t.Error("the power did not go")
		}
		read()
		if !slices.Equal(seen, want) {
			t.Fatalf("a reader has seen %v, want %v", seen, want)
		}
		s.committer.sync, s.committer.commitTxn = sync, commit
		must(t, s.Close())
		dir = disk
		s = mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
		flushed(t, dir)
		if got, next := feedIDs(t, s, acme, queue.Position{}); !slices.Equal(got, want) || next != at {
			t.Fatalf("after the cut there are %v up to %v, and a reader has seen %v up to %v", got, next, seen, at)
		}
	}
}

// Positions do not come back when the clock is set back, even if no event is left.
func TestPositionsRise(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	publishOwned(t, s, "1", "acme")
	_, at := feedIDs(t, s, acme, queue.Position{})
	finish(t, s, "erp", queue.Verdict{Status: queue.StatusDelivered})
	if removed, _, err := s.Trim(t.Context()); removed != 1 || err != nil {
		t.Errorf("removed %d, %v", removed, err)
	}
	must(t, s.Close())
	s = mustOpen(t, Options{Dir: dir, FreeSpace: noReserve, Now: func() time.Time { return time.Now().Add(-48 * time.Hour) }})
	wantFeed(t, s, acme, at, "")
	publishOwned(t, s, "2", "acme")
	wantFeed(t, s, acme, at, "2")
	wantExpired(t, s, queue.Position{})
}

// Nor do numbers of the parts of large previous Shows, which would be overwritten.
func TestNumbersOfPartsRise(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	markItem(t, s, "1")
	held := leaseMark(t, s)
	large := found(held)
	large.Events[0].PreviousShow = bytes.Repeat([]byte("y"), 2*partSize)
	must(t, s.CommitReconciled(t.Context(), held, large))
	number := s.lastIntent.Load()
	must(t, s.Close())
	s = mustOpen(t, Options{Dir: dir, FreeSpace: noReserve, Now: func() time.Time { return time.Now().Add(-48 * time.Hour) }})
	if again := s.lastIntent.Load(); again < number {
		t.Errorf("numbers go back from %d to %d", number, again)
	}
}

// A feed of which little is somebody's is read in bounded steps, each of which gets on.
func TestFeedLooksAtSome(t *testing.T) {
	s := mustOpen(t, Options{FreeSpace: noReserve})
	const commits, events = 21, 500
	for range commits {
		markItem(t, s, "1")
		held := leaseMark(t, s)
		reconciled := found(held)
		one := reconciled.Events[0]
		one.Tenant, one.Audience = "acme", event.AudienceTenant
		for i := range events - 1 {
			next := one
			next.ID = fmt.Sprint(one.ID, "-", i)
			reconciled.Events = append(reconciled.Events, next)
		}
		reconciled.Events[0] = one
		must(t, s.CommitReconciled(t.Context(), held, reconciled))
	}
	first, err := s.ReadFeed(t.Context(), queue.OfTenant(""), queue.Position{}, 10)
	must(t, err)
	if len(first.Entries) != 0 || !first.More || first.Next == (queue.Position{}) {
		t.Fatalf("got %d, %v, more: %v", len(first.Entries), first.Next, first.More)
	}
	second, err := s.ReadFeed(t.Context(), queue.OfTenant(""), first.Next, 10)
	must(t, err)
	rest, _ := feedIDs(t, s, queue.Everything(), first.Next)
	if second.More || len(rest) != commits*events-maxLooked {
		t.Errorf("%d events are behind the first page; more: %v", len(rest), second.More)
	}
	publishOwned(t, s, "2", "")
	must(t, s.AwaitFeed(t.Context(), queue.OfTenant(""), queue.Position{}))
	wantFeed(t, s, queue.OfTenant(""), queue.Position{}, "2")
}

// forgetFeeds leaves a queue as an earlier version would have, which kept nothing for
// feeds, with the events behind a position.
func forgetFeeds(t *testing.T, dir string, behind uint64, logRow []byte) {
	t.Helper()
	rewrite(t, dir, func(txn *badgerdb.Txn) error {
		var keys [][]byte
		for _, kind := range []byte{kindTenant, kindFiltered, kindSpan} {
			if err := each(txn, kind, func(item *badgerdb.Item) error {
				if position, _ := lastNumber(item.Key()); position > behind {
					keys = append(keys, item.KeyCopy(nil))
				}
				return nil
			}); err != nil {
				return err
			}
		}
		for _, key := range keys {
			if err := txn.Delete(key); err != nil {
				return err
			}
		}
		if logRow != nil {
			return txn.Set(eventLogKey, logRow)
		}
		return txn.Delete(eventLogKey)
	})
}

// The events of an earlier version are in the feeds, in their order and before later
// ones, until they expire.
func TestFeedOfEarlierVersion(t *testing.T) {
	dir := t.TempDir()
	began := time.Now()
	clock := newClock(began)
	options := Options{Dir: dir, FreeSpace: noReserve, Now: clock.now, Retention: 1000 * time.Hour}
	s := mustOpen(t, options)
	for i, tenant := range []string{"acme", "umbrella", "acme", ""} {
		publishOwned(t, s, fmt.Sprint("old", i), tenant)
		clock.add(100 * time.Hour)
	}
	must(t, s.Close())
	forgetFeeds(t, dir, 0, nil)

	s = mustOpen(t, options)
	<-s.adopted
	publishOwned(t, s, "new0", "acme")
	publishOwned(t, s, "new1", "umbrella")
	wantAll := func(s *Store) {
		t.Helper()
		wantFeed(t, s, queue.Everything(), queue.Position{}, "old0 old1 old2 old3 new0 new1")
		wantFeed(t, s, acme, queue.Position{}, "old0 old2 new0")
		wantFeed(t, s, queue.OfTenant("umbrella"), queue.Position{}, "old1 new1")
		wantFeed(t, s, erp, queue.Position{}, "old0 old1 old2 old3 new0 new1")
		// Nobody knows any more whom those were filtered for.
		wantFeed(t, s, crm, queue.Position{}, "new0 new1")
	}
	wantAll(s)
	killed := options
	killed.Dir = image(t, dir)
	k := mustOpen(t, killed)
	wantAll(k)
	page, err := s.ReadFeed(t.Context(), acme, queue.Position{}, 1)
	must(t, err)
	if got := wantFeed(t, s, acme, page.Next, "old2 new0"); got.Before(page.Next) {
		t.Errorf("the feed goes back to %v", got)
	}
	must(t, s.Close())
	s = mustOpen(t, options)
	wantAll(s)

	// They expire one after the other, as they were committed.
	clock.set(began.Add(1050 * time.Hour))
	if oldest := wantExpired(t, s, queue.Position{}); oldest != page.Entries[0].Position {
		t.Errorf("the oldest is %v, want %v", oldest, page.Entries[0].Position)
	}
	wantFeed(t, s, acme, page.Entries[0].Position, "old2 new0")
	clock.set(began.Add(1350 * time.Hour))
	wantFeed(t, s, acme, wantExpired(t, s, page.Entries[0].Position), "new0")
}

// While the events of an earlier version have not been read, feeds begin behind them; a
// crash begins that again.
func TestFeedBeforeAdoption(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	publishOwned(t, s, "old0", "acme")
	publishOwned(t, s, "old1", "acme")
	old := s.lastPosition
	must(t, s.Close())
	unread := appendLog(nil, &logState{last: old, unindexed: old, unread: true})
	forgetFeeds(t, dir, 0, unread)
	s = mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	<-s.adopted
	wantFeed(t, s, acme, queue.Position{}, "old0 old1")
	// No index has them; the list of a tenant's events has them all the same, each once.
	publishOwned(t, s, "new0", "acme")
	publishOwned(t, s, "theirs", "umbrella")
	for size := 1; size < 5; size++ {
		var listed []string
		for page := (queue.Page{Limit: size}); ; {
			rows, next, err := s.EventsOf(t.Context(), "acme", queue.Filter{}, page)
			must(t, err)
			for i := range rows {
				listed = append(listed, rows[i].ID)
			}
			if page.Cursor = next; next == "" {
				break
			}
		}
		if got := strings.Join(listed, " "); got != "new0 old1 old0" {
			t.Errorf("in pages of %d: %s", size, got)
		}
	}
	s.events.mu.Lock()
	s.events.unread = true
	s.events.mu.Unlock()
	oldest := wantExpired(t, s, queue.Position{})
	if number, _ := oldest.In(s.instance); number != old {
		t.Errorf("feeds begin at %d, want %d", number, old)
	}
	wantFeed(t, s, acme, oldest, "new0")
}

// If an earlier version was at work in between, readers are told that they have missed
// something: that version keeps no account of what it removes.
func TestFeedAfterEarlierVersion(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	publishOwned(t, s, "1", "acme")
	at := wantFeed(t, s, acme, queue.Position{}, "1")
	first := s.lastPosition
	row := appendLog(nil, &s.events.logState)
	publishOwned(t, s, "theirs", "acme")
	must(t, s.Close())
	forgetFeeds(t, dir, first, row)

	s = mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	publishOwned(t, s, "2", "acme")
	oldest := wantExpired(t, s, at)
	wantFeed(t, s, acme, oldest, "2")
	must(t, s.Close())
	s = mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	wantFeed(t, s, acme, oldest, "2")
	wantExpired(t, s, at)
}

// Where it cannot be read where the log has ended, and what has expired, readers are told
// that they may have missed something, and go on. The clock may be set back by then.
func TestDamagedFeed(t *testing.T) {
	for _, test := range []struct {
		kind string
		back time.Duration
	}{{kind: "log"}, {kind: "span"}, {kind: "both"}, {"log", time.Hour}, {"span", time.Hour}, {"both", time.Second}} {
		kind, dir := fmt.Sprint(test.kind, " ", test.back), t.TempDir()
		later := Options{Dir: dir, FreeSpace: noReserve, Now: func() time.Time { return time.Now().Add(-test.back) }}
		s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
		publishOwned(t, s, "1", "acme")
		at := wantFeed(t, s, acme, queue.Position{}, "1")
		span := spanKey(nil, 1)
		if _, ok := rowsOf(t, s, "n")[string(span)]; !ok {
			t.Fatalf("the span is not at %q", span)
		}
		must(t, s.Close())
		rewrite(t, dir, func(txn *badgerdb.Txn) error {
			var err error
			if test.kind != "span" {
				err = txn.Set(eventLogKey, []byte{1, 0xff})
			}
			if test.kind != "log" {
				err = errors.Join(err, txn.Set(span, []byte{1, 0xff}))
			}
			return err
		})
		s = mustOpen(t, later)
		if s.Damaged() == 0 {
			t.Errorf("%s: nothing is damaged", kind)
		}
		oldest := wantExpired(t, s, queue.Position{})
		if test.kind != "span" {
			oldest = wantExpired(t, s, at)
		}
		publishOwned(t, s, "2", "acme")
		if at = wantFeed(t, s, acme, oldest, "2"); !oldest.Before(at) {
			t.Errorf("%s: the feed goes back to %v", kind, at)
		}
		must(t, s.Close())
		s = mustOpen(t, later)
		wantFeed(t, s, acme, oldest, "2")
		wantFeed(t, s, acme, at, "")
	}
}

// A queue that was restored refuses the positions of the one that it was.
func TestFeedOfRestored(t *testing.T) {
	s := mustOpen(t, Options{FreeSpace: noReserve})
	publishOwned(t, s, "1", "acme")
	at := wantFeed(t, s, acme, queue.Position{}, "1")
	full, _ := backup(t, s, 0)
	restored := t.TempDir()
	_, err := Restore(t.Context(), restored, full)
	must(t, err)
	s = mustOpen(t, Options{Dir: restored, FreeSpace: noReserve})
	oldest := wantExpired(t, s, at)
	publishOwned(t, s, "2", "acme")
	wantFeed(t, s, acme, oldest, "1 2")
	wantFeed(t, s, crm, oldest, "1 2")
}

// The spans of a long time are few, and those that are over go.
func TestSpans(t *testing.T) {
	clock := newClock(time.Now())
	const retention = 2000 * time.Second
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve, Now: clock.now, Retention: retention})
	for i := range 60 {
		publishOwned(t, s, fmt.Sprint(i), "acme")
		clock.add(retention / 20)
		if i%3 == 0 {
			publishOwned(t, s, fmt.Sprint(i, "b"), "acme")
		}
	}
	// The last retention's, and that before them which was still needed.
	spans := rowsOf(t, s, "n")
	if len(spans) < 20 || len(spans) > 24 || len(s.events.spans) != len(spans) {
		t.Errorf("%d spans, and %d in memory", len(spans), len(s.events.spans))
	}
	oldest := wantExpired(t, s, queue.Position{})
	must(t, s.Close())
	s = mustOpen(t, Options{Dir: dir, FreeSpace: noReserve, Now: clock.now, Retention: retention})
	if again := wantExpired(t, s, queue.Position{}); again != oldest || len(s.events.spans) != len(spans) {
		t.Errorf("the oldest is %v after %v, with %d spans", again, oldest, len(s.events.spans))
	}
}

func TestLogRecords(t *testing.T) {
	l := logState{last: 1_700_000_000_000_000_005, removed: 7, unindexed: 3, unread: true}
	row := appendLog(nil, &l)
	if want := []byte("\x01\x85\x80\xa8\xb1\xe3\x9f\xe7\xcb\x17\x07\x03\x01"); !bytes.Equal(row, want) {
		t.Errorf("got %q", row)
	}
	if got, err := parseLog(row); err != nil || got != l {
		t.Errorf("got %+v, %v", got, err)
	}
	s := span{first: 9, made: 1_700_000_000, expires: 1_702_592_000}
	row = appendSpan(nil, &s)
	if want := []byte("\x01\x80\xe2\xcf\xaa\x06\x80\xfc\xed\xab\x06"); !bytes.Equal(row, want) {
		t.Errorf("got %q", row)
	}
	if got, err := parseSpan(9, row); err != nil || got != s {
		t.Errorf("got %+v, %v", got, err)
	}
}
