// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"path/filepath"
	"testing"

	badgerdb "github.com/dgraph-io/badger/v4"
)

// Rows of a kind that this version does not know are left alone: a queue with
// them opens, goes into a backup and comes out of it, as one of an earlier
// version that kept endpoints of subscribers under h.
func TestUnknownKind(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	populate(t, s)
	want := identityless(t, s)
	key, record := []byte("herp"), []byte("\x01\x04acme\x06sealed")
	must(t, s.db.Update(func(txn *badgerdb.Txn) error { return txn.Set(key, record) }))
	full, _ := backup(t, s, 0)
	must(t, s.Close())
	inspection, err := Inspect(dir)
	if err != nil || len(inspection.Findings)+len(inspection.Notes) > 0 {
		t.Errorf("%+v, %v", inspection, err)
	}
	restored, salvaged := filepath.Join(t.TempDir(), "queue"), filepath.Join(t.TempDir(), "queue")
	_, err = Restore(t.Context(), restored, full)
	must(t, err)
	_, err = Salvage(t.Context(), dir, salvaged)
	must(t, err)
	for _, dir := range []string{dir, restored, salvaged} {
		s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
		if got := identityless(t, s); got != want || s.Damaged() != 0 {
			t.Errorf("%d records are damaged; got\n%s\nwant\n%s", s.Damaged(), got, want)
		}
		must(t, s.db.View(func(txn *badgerdb.Txn) error {
			_, err := txn.Get(key)
			return err
		}))
		publish(t, s, "new", "erp")
		must(t, s.Close())
	}
}
