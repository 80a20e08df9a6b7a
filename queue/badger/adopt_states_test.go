// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"testing"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// statesOf returns the states of endpoints that are kept.
func statesOf(t *testing.T, s *Store) (states []queue.EndpointState) {
	t.Helper()
	kept, _, err := s.Records(t.Context(), queue.KindState, queue.Page{Limit: queue.MaxLimit})
	must(t, err)
	for _, r := range kept {
		state, err := queue.EndpointStateOf(r)
		must(t, err)
		states = append(states, state)
	}
	return states
}

// earlierStates writes states as the version before records did, byte by byte.
func earlierStates(t *testing.T, dir string, names ...string) {
	t.Helper()
	golden, err := hex.DecodeString("010864697361626c656403343130bfe9e689ee0108afcde689ee010807")
	must(t, err)
	rewrite(t, dir, func(txn *badgerdb.Txn) error {
		for _, name := range names {
			err = errors.Join(err, txn.Set(append([]byte{'g'}, name...), golden))
		}
		return err
	})
}

// The endpoints that an earlier version has paused or disabled are so still, after
// the queue was opened, killed at once, or restored from a backup of then.
func TestStatesOfEarlierVersion(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	publish(t, s, "1", "erp")
	must(t, s.Close())
	var names []string
	var want []queue.EndpointState
	for i := range 40 {
		state := stateExample
		state.Name = fmt.Sprintf("erp%02d", i)
		names, want = append(names, state.Name), append(want, state)
	}
	earlierStates(t, dir, names...)
	rewrite(t, dir, func(txn *badgerdb.Txn) error { return txn.Set([]byte("gdamaged"), []byte{1, 0xff}) })

	s = mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	if got := statesOf(t, s); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if s.Damaged() != 1 {
		t.Errorf("%d are damaged", s.Damaged())
	}
	left := 0
	must(t, s.db.View(func(txn *badgerdb.Txn) error {
		return each(txn, 'g', func(*badgerdb.Item) error { left++; return nil })
	}))
	if left != 1 || formatOf(t, s) != firstFormat {
		t.Errorf("%d rows are left, and the format is %d", left, formatOf(t, s))
	}
	full, _ := backup(t, s, 0)
	killed := mustOpen(t, Options{Dir: image(t, dir), FreeSpace: noReserve})
	if got := statesOf(t, killed); !reflect.DeepEqual(got, want) {
		t.Errorf("after a crash: got %+v, want %+v", got, want)
	}
	must(t, s.Close())

	// What the earlier version says later counts.
	restored := filepath.Join(t.TempDir(), "queue")
	_, err := Restore(t.Context(), restored, full)
	must(t, err)
	s = mustOpen(t, Options{Dir: restored, FreeSpace: noReserve})
	paused, err := queue.EndpointState{Name: names[0], Status: queue.EndpointPaused}.Record(queue.AnyVersion)
	must(t, err)
	changeAll(t, s, paused)
	must(t, s.Close())
	earlierStates(t, restored, names[0], "zzz")
	s = mustOpen(t, Options{Dir: restored, FreeSpace: noReserve})
	last := stateExample
	last.Name = "zzz"
	if got := statesOf(t, s); !reflect.DeepEqual(got, append(want, last)) {
		t.Errorf("once more: got %+v", got)
	}
}
