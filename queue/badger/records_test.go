// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func changeAll(t *testing.T, s *Store, changes ...queue.Record) uint64 {
	t.Helper()
	version, err := s.Change(t.Context(), changes...)
	must(t, err)
	return version
}

func endpoint(id, value string) queue.Record {
	return queue.Record{Kind: queue.KindEndpoint, ID: id, Owner: "acme", Version: queue.AnyVersion, Value: []byte(value)}
}

func gone(r queue.Record) queue.Record {
	r.Value = nil
	return r
}

// metaOf returns the format that the store has written.
func formatOf(t *testing.T, s *Store) (format uint64) {
	t.Helper()
	must(t, s.db.View(func(txn *badgerdb.Txn) error {
		item, err := txn.Get(append([]byte{kindMeta}, metaName...))
		must(t, err)
		return item.Value(func(row []byte) error {
			meta, err := parseMeta(row)
			if format = meta.Format; meta.Instance != s.instance {
				t.Error("the store has another identity")
			}
			return err
		})
	}))
	return format
}

// A version that was given out does not come back after a restart, not even of a
// record that is gone; nor does an epoch.
func TestVersionsSurvive(t *testing.T) {
	for _, test := range []struct {
		name  string
		again func(t *testing.T, s *Store, dir string) string
	}{
		{"after closing", func(t *testing.T, s *Store, dir string) string { must(t, s.Close()); return dir }},
		{"after a crash", func(t *testing.T, _ *Store, dir string) string { return image(t, dir) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			s := mustOpen(t, Options{Dir: dir})
			changeAll(t, s, endpoint("ep_1", "1"), queue.Record{Kind: "slots", ID: "acme", Value: []byte("1")})
			changeAll(t, s, endpoint("ep_2", "1"))
			last := changeAll(t, s, gone(endpoint("ep_2", "")))
			s = mustOpen(t, Options{Dir: test.again(t, s, dir)})
			if epoch, err := s.Epoch(t.Context(), queue.KindEndpoint); err != nil || epoch != last || s.versions.routing != last {
				t.Errorf("the epoch is %d (%d), want %d: %v", epoch, s.versions.routing, last, err)
			}
			if epoch, err := s.Epoch(t.Context(), "slots"); err != nil || epoch == 0 || epoch == last {
				t.Errorf("the epoch of slots is %d: %v", epoch, err)
			}
			if version := changeAll(t, s, endpoint("ep_2", "2")); version <= last {
				t.Errorf("the versions are %d and %d", last, version)
			}
		})
	}
}

// Versions of a restored queue are above all that were given out since the backup.
func TestVersionsOfRestored(t *testing.T) {
	s := mustOpen(t, Options{FreeSpace: noReserve})
	changeAll(t, s, endpoint("ep_1", "1"))
	full, _ := backup(t, s, 0)
	last := uint64(0)
	for range 10 {
		last = changeAll(t, s, endpoint("ep_1", "since"))
	}
	dir := filepath.Join(t.TempDir(), "queue")
	_, err := Restore(t.Context(), dir, full)
	must(t, err)
	restored := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	if epoch, err := restored.Epoch(t.Context(), queue.KindEndpoint); err != nil || epoch <= last {
		t.Errorf("the epoch is %d, and was %d: %v", epoch, last, err)
	}
	if version := changeAll(t, restored, endpoint("ep_1", "2")); version <= last {
		t.Errorf("the version is %d, and was %d", version, last)
	}
	if formatOf(t, restored) != endpointFormat {
		t.Errorf("the format is %d", formatOf(t, restored))
	}
}

// A queue is opened by earlier versions until it has an endpoint, which they would
// send nothing to.
func TestFormatOfEndpoints(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir})
	changeAll(t, s, queue.Record{Kind: "slots", ID: "acme", Value: []byte("1")}, gone(endpoint("ep_1", "")))
	if got := formatOf(t, s); got != firstFormat {
		t.Errorf("without endpoints, the format is %d", got)
	}
	changeAll(t, s, endpoint("ep_1", "1"))
	changeAll(t, s, endpoint("ep_2", "1"))
	if got := formatOf(t, s); got != endpointFormat {
		t.Errorf("with endpoints, the format is %d", got)
	}
	must(t, s.Close())
	s = mustOpen(t, Options{Dir: dir})
	changeAll(t, s, endpoint("ep_1", "2"))
	if got := formatOf(t, s); got != endpointFormat {
		t.Errorf("opened again, the format is %d", got)
	}
}

// Of changes that share a transaction, each sees those before it; of one that
// fails, nobody sees anything.
func TestChangesInOneBatch(t *testing.T) {
	s := mustOpen(t, Options{})
	ctx := t.Context()
	epoch := changeAll(t, s, endpoint("ep_1", "0"))
	stopped, goOn := hold(s)
	results := make(chan error, 4)
	go func() {
		results <- s.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{Key: item("1")}}}, true)
	}()
	stopped()
	for i := range 3 {
		first := endpoint("ep_1", "1")
		first.Version = epoch
		go func() {
			_, err := s.Change(ctx, first)
			results <- err
		}()
		queued(t, s, i+1)
	}
	commits := s.committer.commits.Load()
	goOn()
	conflicts := 0
	for range 4 {
		if err := <-results; errors.Is(err, queue.ErrConflict) {
			conflicts++
		} else {
			must(t, err)
		}
	}
	if conflicts != 2 || s.committer.commits.Load() != commits+1 {
		t.Errorf("%d conflicts in %d transactions", conflicts, s.committer.commits.Load()-commits)
	}

	broken := errors.New("input/output error")
	commit := s.committer.commitTxn
	want := dump(t, s)
	before, err := s.Epoch(ctx, queue.KindEndpoint)
	must(t, err)
	s.committer.commitTxn = func(b *batch) error { b.txn.Discard(); return broken }
	if version, err := s.Change(ctx, endpoint("ep_1", "lost")); !errors.Is(err, broken) || version != 0 {
		t.Errorf("got %d and %v", version, err)
	}
	s.committer.commitTxn = commit
	if after, err := s.Epoch(ctx, queue.KindEndpoint); err != nil || after != before || dump(t, s) != want {
		t.Errorf("the epoch went from %d to %d: %v", before, after, err)
	}
	left, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	if epoch, err := s.Await(left, queue.KindEndpoint, before); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %d and %v", epoch, err)
	}
	if version := changeAll(t, s, endpoint("ep_1", "kept")); version <= before {
		t.Errorf("the versions are %d and %d", before, version)
	}
}

// A record that cannot be read is told of and left out; nobody can change what they
// cannot have seen, and whoever expects nothing repairs it.
func TestDamagedRecord(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir})
	last := changeAll(t, s, endpoint("ep_1", "1"), endpoint("ep_2", "1"), queue.Record{Kind: "slots", ID: "acme", Value: []byte("1")})
	must(t, s.Close())
	junk := []byte{1, 0xff, 0xff}
	rewrite(t, dir, func(txn *badgerdb.Txn) error {
		return errors.Join(
			txn.Set(recordKey(nil, queue.KindEndpoint, "ep_1"), junk),
			txn.Set(epochKey(nil, queue.KindEndpoint), junk),
		)
	})
	s = mustOpen(t, Options{Dir: dir})
	if epoch, err := s.Epoch(t.Context(), queue.KindEndpoint); err != nil || epoch <= last {
		t.Errorf("the epoch is %d, and was %d: %v", epoch, last, err)
	}
	for _, list := range []func() ([]queue.Record, queue.Cursor, error){
		func() ([]queue.Record, queue.Cursor, error) {
			return s.Records(t.Context(), queue.KindEndpoint, queue.Page{})
		},
		func() ([]queue.Record, queue.Cursor, error) {
			return s.RecordsOf(t.Context(), queue.KindEndpoint, "acme", queue.Page{})
		},
	} {
		if listed, _, err := list(); err != nil || len(listed) != 1 || listed[0].ID != "ep_2" {
			t.Errorf("got %+v and %v", listed, err)
		}
	}
	if _, err := s.Record(t.Context(), queue.KindEndpoint, "ep_1"); !errors.Is(err, errDamaged) {
		t.Errorf("got %v", err)
	}
	if s.Damaged() == 0 {
		t.Error("nobody is told")
	}
	for _, version := range []uint64{0, last} {
		one := endpoint("ep_1", "2")
		one.Version, one.Owner = version, "umbrella"
		if _, err := s.Change(t.Context(), one); !errors.Is(err, queue.ErrConflict) {
			t.Errorf("version %d: %v", version, err)
		}
	}
	repaired := endpoint("ep_1", "2")
	repaired.Owner = "umbrella"
	changeAll(t, s, repaired)
	for owner, want := range map[string]string{"acme": "ep_2", "umbrella": "ep_1"} {
		listed, _, err := s.RecordsOf(t.Context(), queue.KindEndpoint, owner, queue.Page{})
		if err != nil || len(listed) != 1 || listed[0].ID != want {
			t.Errorf("%s has %+v: %v", owner, listed, err)
		}
	}
}

// A record of a newer version is not passed over where one is asked for.
func TestRecordOfNewerVersion(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir})
	changeAll(t, s, endpoint("ep_1", "1"))
	must(t, s.Close())
	rewrite(t, dir, func(txn *badgerdb.Txn) error {
		return txn.Set(recordKey(nil, queue.KindEndpoint, "ep_1"), []byte{recordVersion + 1})
	})
	s = mustOpen(t, Options{Dir: dir})
	if _, err := s.Record(t.Context(), queue.KindEndpoint, "ep_1"); !errors.Is(err, queue.ErrNewerFormat) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Change(t.Context(), endpoint("ep_1", "2")); !errors.Is(err, queue.ErrNewerFormat) {
		t.Errorf("got %v", err)
	}
}

// The rows of an expired record go by themselves.
func TestExpiredRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, Options{})
		defer s.Close()
		short := endpoint("ep_1", "1")
		short.Expires = time.Now().Add(time.Minute)
		changeAll(t, s, short, endpoint("ep_2", "1"))
		rows := func() (n int) {
			must(t, s.db.View(func(txn *badgerdb.Txn) error {
				for _, kind := range []byte{kindRecord, kindOwned} {
					must(t, each(txn, kind, func(*badgerdb.Item) error { n++; return nil }))
				}
				return nil
			}))
			return n
		}
		if rows() != 4 {
			t.Errorf("there are %d rows", rows())
		}
		time.Sleep(time.Minute + 2*time.Second)
		if rows() != 2 {
			t.Errorf("%d rows are left", rows())
		}
	})
}

// Records stay apart whatever their names, and those of one kind are in the order
// of their ids.
func FuzzRecordKey(f *testing.F) {
	f.Add("endpoint", "acme", "ep_1", "endpoint", "acm", "e", byte(1))
	f.Add("a", "", "b", "ab", "", "", byte(0))
	f.Add("", "\xff", "\x00", "\xff", "", "\x00", byte(2))
	f.Fuzz(func(t *testing.T, kindA, ownerA, idA, kindB, ownerB, idB string, same byte) {
		if same&1 != 0 {
			kindB = kindA
		}
		if same&2 != 0 {
			ownerB = ownerA
		}
		if got := bytes.HasPrefix(recordKey(nil, kindB, idB), recordPrefix(nil, kindA)); got != (kindA == kindB) {
			t.Errorf("%q has %q of %q: %v", kindA, idB, kindB, got)
		}
		if got := bytes.HasPrefix(ownedKey(nil, kindB, ownerB, idB), ownedPrefix(nil, kindA, ownerA)); got != (kindA == kindB && ownerA == ownerB) {
			t.Errorf("%q, %q has %q of %q, %q: %v", kindA, ownerA, idB, kindB, ownerB, got)
		}
		if kindA == kindB && bytes.Compare(recordKey(nil, kindA, idA), recordKey(nil, kindB, idB)) != bytes.Compare([]byte(idA), []byte(idB)) {
			t.Errorf("%q and %q are out of order", idA, idB)
		}
	})
}

// A change of endpoints and a commit that share a transaction are in the order in
// which they came.
func TestChangeAndCommitInOneBatch(t *testing.T) {
	for name, test := range map[string]struct {
		changeFirst bool
		want        error
	}{"the change first": {true, queue.ErrStale}, "the commit first": {false, nil}} {
		t.Run(name, func(t *testing.T) {
			s := mustOpen(t, Options{})
			ctx := t.Context()
			markItem(t, s, "1")
			held := leaseMark(t, s)
			stopped, goOn := hold(s)
			noting, changing, committing := make(chan error, 1), make(chan error, 1), make(chan error, 1)
			go func() {
				noting <- s.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{Key: item("2")}}}, true)
			}()
			stopped()
			verbs := []func(){
				func() { changing <- func() error { _, err := s.Change(ctx, endpoint("ep_1", "1")); return err }() },
				func() { committing <- s.CommitReconciled(ctx, held, found(held, "erp")) },
			}
			if !test.changeFirst {
				verbs[0], verbs[1] = verbs[1], verbs[0]
			}
			for i, verb := range verbs {
				go verb()
				queued(t, s, i+1)
			}
			commits := s.committer.commits.Load()
			goOn()
			must(t, <-noting)
			must(t, <-changing)
			if err := <-committing; !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if s.committer.commits.Load() != commits+1 {
				t.Error("they did not share a transaction")
			}
			if test.want == nil {
				return
			}
			again := found(held, "erp")
			again.Epoch = s.epochs.Get(queue.KindEndpoint)
			must(t, s.CommitReconciled(ctx, held, again))
		})
	}
}
