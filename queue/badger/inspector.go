// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
	"go.uber.org/zap"
)

// inspector reads the tables of an open queue to their end, each once, a little at a
// time: first those that were not read when the queue was opened, as an earlier
// process had read them, then those that Badger has made since. It keeps the file of
// them, so that also after a crash few tables are left to read.
//
// A table that was whole when it was last read may rot before the next start. Badger
// then takes an unreadable block for the end of the table, in a search as in a
// compaction, until the inspector has been there: as with any table that rots while
// the queue is open. What the inspector finds closes the queue, and the file is
// removed: so all tables are read when it is opened again, and it is set aside with
// all its files, as if it had been found then. Tables of the first levels come first,
// as Badger compacts them first.
type inspector struct {
	dir    string
	ground *ground
	log    *zap.Logger
	pace   pace

	// known are the tables that were read to their end; of these, trusted were read
	// by an earlier process only.
	known   inspectedTables
	trusted map[uint64]bool
	// saved is what the file holds.
	saved inspectedTables

	closing, done chan struct{}
}

// pace says how fast tables are inspected while the queue is open.
type pace struct {
	// rate is in bytes a second. Every sixteen megabytes take some 40 ms of one
	// processor.
	rate int64
	// every is how often new tables are looked for. Those that are younger are left
	// for later: most are compacted away within moments while much is written.
	every time.Duration
}

var usualPace = pace{rate: 16 << 20, every: time.Minute}

// newInspector goes on from an inspection. It returns nil if there was none, as on
// systems on which this package cannot lock.
func newInspector(g *ground, options Options, inspection *Inspection) *inspector {
	if inspection.whole == nil {
		return nil
	}
	return &inspector{
		dir: g.bound, ground: g, log: options.Logger, pace: options.pace,
		known: inspection.whole, trusted: inspection.trusted, saved: inspection.known,
		closing: make(chan struct{}), done: make(chan struct{}),
	}
}

// run inspects until the queue is closed.
func (n *inspector) run() {
	defer close(n.done)
	n.save()
	for n.round() && n.wait(n.pace.every) {
	}
}

// stop ends it, and waits for it.
func (n *inspector) stop() {
	if n != nil {
		close(n.closing)
		<-n.done
	}
}

// leave writes the file for the next start, once the database is closed.
func (n *inspector) leave() {
	if n == nil {
		return
	}
	if tables, err := n.tables(); err == nil {
		n.forget(tables)
		n.save()
	}
}

// wait reports false when the queue is being closed.
func (n *inspector) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-n.closing:
		return false
	}
}

// round inspects what is to be inspected now. It reports whether there is to be
// another round.
func (n *inspector) round() bool {
	tables, err := n.tables()
	if err != nil {
		// Badger may be writing it. If it is damaged, Badger has read it before.
		return true
	}
	n.forget(tables)
	for _, id := range n.due(tables) {
		size, err := n.inspect(id, tables[id])
		if err != nil {
			n.failed(id, err)
			return false
		}
		if !n.wait(time.Duration(size * int64(time.Second) / n.pace.rate)) {
			return false
		}
	}
	n.save()
	return true
}

// tables returns the tables that Badger has. It adds a table to its manifest before
// it uses it, and takes it out before it deletes it.
func (n *inspector) tables() (map[uint64]badgerdb.TableManifest, error) {
	f, err := os.Open(filepath.Join(n.dir, badgerdb.ManifestFilename))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var manifest badgerdb.Manifest
	err = guarded(func() error {
		manifest, _, err = badgerdb.ReplayManifestFile(f, 0, badgerdb.Options{})
		return err
	})
	return manifest.Tables, err
}

// forget drops tables that are gone. Their ids may be given to others.
func (n *inspector) forget(tables map[uint64]badgerdb.TableManifest) {
	for id := range n.known {
		if _, ok := tables[id]; !ok {
			delete(n.known, id)
			delete(n.trusted, id)
		}
	}
}

// due returns the tables to inspect, in this order.
func (n *inspector) due(tables map[uint64]badgerdb.TableManifest) []uint64 {
	var trusted, fresh []uint64
	for id := range tables {
		_, known := n.known[id]
		switch {
		case n.trusted[id]:
			trusted = append(trusted, id)
		case !known && n.old(id):
			fresh = append(fresh, id)
		}
	}
	for _, ids := range [][]uint64{trusted, fresh} {
		slices.SortFunc(ids, func(a, b uint64) int {
			return cmp.Or(cmp.Compare(tables[a].Level, tables[b].Level), cmp.Compare(a, b))
		})
	}
	return append(trusted, fresh...)
}

// old reports whether a table was made long enough ago.
func (n *inspector) old(id uint64) bool {
	info, err := os.Stat(table.NewFilename(id, n.dir))
	return err == nil && time.Since(info.ModTime()) >= n.pace.every
}

// inspect reads a table to its end, and returns its size. A table that is gone, or
// that cannot be read now, is no error.
func (n *inspector) inspect(id uint64, manifest badgerdb.TableManifest) (size int64, err error) {
	one := newInspection()
	err = one.inspectMapped(table.NewFilename(id, n.dir), manifest.Compression)
	if err == nil {
		n.known[id] = one.whole[id]
		delete(n.trusted, id)
		return one.Bytes, nil
	}
	if scarce(err) {
		return 0, nil
	}
	// Badger cuts the file of a table that it deletes, also while it is read.
	tables, broken := n.tables()
	if _, still := tables[id]; broken != nil || !still {
		return 0, nil //nolint:nilerr // the next round looks again
	}
	return 0, err
}

// failed closes the queue for a table that is damaged.
func (n *inspector) failed(id uint64, err error) {
	name := filepath.Base(table.NewFilename(id, n.dir))
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("it is missing")
	}
	n.ground.distrust()
	_ = n.ground.fail(fmt.Errorf("%s has been damaged on the disk: %w", name, err)) // which logs it
}

// save writes the file if what is known has changed, unless there is damage.
func (n *inspector) save() {
	if n.ground.distrusted.Load() || maps.Equal(n.known, n.saved) {
		return
	}
	if err := n.known.write(n.dir); err != nil {
		n.log.Warn("the list of inspected tables cannot be written: the next start reads more of them", zap.Error(err))
		return
	}
	n.saved = maps.Clone(n.known)
	if n.ground.distrusted.Load() {
		n.ground.distrust()
	}
}

// distrust has all tables read when the queue is opened next: something of it could
// not be read, which may be due to a table.
func (g *ground) distrust() {
	g.distrusted.Store(true)
	_ = os.Remove(filepath.Join(g.bound, inspectedFile))
}
