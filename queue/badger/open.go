// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	badgerdb "github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/internal/failpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/epoch"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/wake"
)

// Open opens the queue of a directory, and makes it if there is none. It fails
// with [queue.ErrInUse] if another process has it open, with
// [queue.ErrNewerFormat] if a newer version of this module has written it, with
// [queue.ErrFull] if there is no room to work in, and with a [DamageError] if
// its files are damaged: Open has then moved them to another directory,
// unchanged. [queue.Misconfigured] reports which errors are final.
func Open(options Options) (*Store, error) {
	s, err := open(options)
	return s, misconfigured(err)
}

func open(options Options) (*Store, error) {
	options = options.withDefaults()
	if options.Dir == "" {
		return nil, fmt.Errorf("opening the queue: %w", errNoDir)
	}
	if err := makeDir(options); err != nil {
		return nil, err
	}
	owned, err := own(options)
	if err != nil {
		return nil, err
	}
	// Before Badger makes a file, and before damaged ones are set aside.
	private := newPrivacy(options.Dir, options.Logger)
	s, err := openStore(options, owned)
	if err != nil {
		return nil, errors.Join(err, owned.release())
	}
	s.owned, s.private = owned, private
	private.look()
	if err := holdReserve(options.Dir, s.space.space, s.space.free.Load()); err != nil {
		options.Logger.Warn("there is no reserve for a full disk", zap.Error(err))
	}
	return s, nil
}

// openStore opens the queue of a directory that this process owns.
func openStore(options Options, owned ownership) (*Store, error) {
	if options.Durability == queue.Power {
		if err := syncLogs(options.Dir); err != nil {
			return nil, fmt.Errorf("opening the queue in %s: %w", options.Dir, err)
		}
	}
	failpoint.Here("queue.opening")
	g, err := newGround(options, owned)
	if err != nil {
		return nil, err
	}
	db, inspection, err := openDatabase(options, owned, g)
	if err != nil {
		g.leave()
		return nil, err
	}
	var s *Store
	// A record that causes a panic must not end the process, and the API with
	// it.
	err = guarded(func() error {
		var err error
		s, err = newStore(db, options, g, inspection)
		return err
	})
	endOpening(options.Dir)
	if err != nil {
		g.leave()
		return nil, errors.Join(fmt.Errorf("opening the queue in %s: %w", options.Dir, err), db.Close())
	}
	return s, nil
}

func newStore(db *badgerdb.DB, options Options, g *ground, inspection *Inspection) (*Store, error) {
	s := &Store{
		db:         db,
		now:        options.Now,
		log:        options.Logger,
		ground:     g,
		space:      newSpaceWatch(options),
		inspection: inspection,
		intents:    newOpenIntents(),
		marks:      newMarks(options.Now),
		lanes:      newLanes(options.Now),
		recent:     newRecentEvents(),
		epochs:     epoch.New(),
		sleepers:   wake.New(),
		closing:    make(chan struct{}),
	}
	s.Configure(options.settings())
	if err := s.identify(); err != nil {
		return nil, err
	}
	if err := s.rebuild(); err != nil {
		return nil, err
	}
	numbers, err := s.openNumbers(options.Dir)
	if err != nil {
		return nil, err
	}
	logs, err := newLogSync(options.Dir)
	if err != nil {
		return nil, errors.Join(err, numbers.close())
	}
	s.committer = newCommitter(s, numbers, logs)
	go s.committer.run()
	if err := s.adoptStates(); err != nil {
		s.committer.stop()
		return nil, errors.Join(err, logs.close(), numbers.close())
	}
	s.adoptLog()
	s.readLanes(options.readLanes)
	if s.inspector = newInspector(g, options, inspection); s.inspector != nil {
		go s.inspector.run()
	}
	return s, nil
}

// openError adds to an error of Badger's what can be done about it.
func openError(dir string, err error) error {
	if strings.Contains(err.Error(), "Cannot acquire directory lock") {
		return inUse(dir)
	}
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("the directory of the queue must be readable and writable for this process: %w", err)
	}
	return fmt.Errorf("opening the queue in %s: %w", dir, err)
}

// syncLogs syncs what an earlier process has written. A process that was killed
// between a commit and its sync leaves deliveries that are about to be leased:
// they must not be lost any more.
func syncLogs(dir string) error {
	logs, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*.mem"))
	if err != nil {
		return err
	}
	for _, name := range logs {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if errors.Is(err, os.ErrNotExist) {
			// Another process has the queue open. Badger will report that.
			continue
		}
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// escapeGlob keeps a directory's name from being taken for a pattern.
func escapeGlob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// identify reads the store's identity, or makes it if the store is new.
func (s *Store) identify() error {
	key := append([]byte{kindMeta}, metaName...)
	return s.db.Update(func(txn *badgerdb.Txn) error {
		item, err := txn.Get(key)
		if errors.Is(err, badgerdb.ErrKeyNotFound) {
			meta := metaRecord{Format: firstFormat}
			// crypto/rand.Read never fails.
			_, _ = rand.Read(meta.Instance.ID[:])
			_, _ = rand.Read(meta.Instance.HashKey[:])
			s.instance, s.versions.format = meta.Instance, meta.Format
			return txn.Set(key, appendMeta(nil, &meta))
		}
		if err != nil {
			return err
		}
		return item.Value(func(record []byte) error {
			meta, err := parseMeta(record)
			if errors.Is(err, queue.ErrNewerFormat) {
				return fmt.Errorf("%w; use that version, or give this one a `queue badger DIR` of its own", err)
			}
			s.instance, s.versions.format = meta.Instance, meta.Format
			return err
		})
	})
}
