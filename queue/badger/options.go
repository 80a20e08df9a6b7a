// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"os"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Options say where a queue is and how it is kept.
type Options struct {
	// Dir is the directory of the queue. It is made if need be, and belongs to
	// one process at a time.
	Dir string
	// Durability says what acknowledged work survives. The default is
	// [queue.Power].
	Durability queue.Durability
	// Retention is how long events, attempts, decided deliveries and
	// unresolved intents are kept. The default is [queue.DefaultRetention].
	Retention time.Duration
	// Space says how much of the disk is left alone. The defaults are 1 GiB, or
	// a fifth of a smaller volume, for Low; 384 MiB, or an eighth of a smaller
	// volume and at least [queue.MinCritical], for Critical; 128 MiB, or a
	// sixteenth of a smaller volume and at least 64 MiB, for Reserve.
	Space queue.Space
	// Place is as in [queue.OpenOptions].
	Place string
	// FreeSpace returns how much space there is. The default asks the system.
	FreeSpace FreeSpace
	// Probe opens the queue of a directory in another process. It returns an
	// error if that process dies, or one that wraps [ErrNotProbed]. It is used
	// where opening the queue has killed a process before. The other process
	// has to inherit the lock, and to end when this one does. Without Probe,
	// such a queue is opened without one.
	Probe func(dir string, lock *os.File) error
	// Owned is called when the directory belongs to this process until the
	// queue is closed. Opening may take long from there.
	Owned func()
	// Now returns the time. The default is time.Now.
	Now func() time.Time
	// pace is [usualPace], but for tests.
	pace pace
	// readLanes, if not nil, is called before lanes are read; for tests.
	readLanes func()
	// Logger gets the engine's messages. The default is to log nothing.
	Logger *zap.Logger
}

func (o Options) settings() queue.Settings {
	return queue.Settings{Durability: o.Durability, Retention: o.Retention}
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.FreeSpace == nil {
		o.FreeSpace = freeSpace
	}
	if o.pace == (pace{}) {
		o.pace = usualPace
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o
}

// Badger takes transactions of up to 15 % of the memtable's size, with about
// one entry for each 96 bytes of that. The memtable is as small as an event
// with a payload of 4 MiB allows.
const (
	memTableSize = 32 << 20
	// tableSize is the size of tables that merges make, on all levels.
	tableSize = 8 << 20
	// mergedTables is how many tables of the first level are merged into the next at
	// once, and stalledTables how many there are at most: fewer than four that wait
	// beside those that are being merged, see engineOptions.
	mergedTables  = 5
	stalledTables = mergedTables + 3
	// maxBytes and maxEntries limit one transaction.
	maxBytes   = memTableSize*15/100 - 64<<10
	maxEntries = maxBytes / 128
)

// engineOptions returns Badger's options: a small footprint, one writer, and no
// sync but the committer's.
func engineOptions(o Options) badgerdb.Options {
	engine := badgerdb.DefaultOptions(o.Dir).
		WithLogger(engineLogger{log: o.Logger.Sugar()}).
		WithMetricsEnabled(false).
		// The committer syncs after a commit if somebody waits for that.
		WithSyncWrites(false).
		// One writer has no conflicts.
		WithDetectConflicts(false).
		WithNumVersionsToKeep(1).
		WithMemTableSize(memTableSize).
		WithNumMemtables(2).
		WithBlockCacheSize(32 << 20).
		WithIndexCacheSize(16 << 20).
		// Values are never above 512 KiB (see splitPayload), so the value log
		// stays empty and needs no collecting.
		WithValueThreshold(1 << 20).
		WithValueLogFileSize(4 << 20).
		WithNumCompactors(3).
		// With Badger's 10 MiB, a queue of some hundred megabytes has three
		// levels, and an event is rewritten on its way through each. Fewer
		// cost a third less processor time while a backlog is filled.
		WithBaseLevelSize(128 << 20).
		// A table is built in memory that begins with twice its size and doubles, and
		// that Badger keeps for the next ones, however little they need. A merge builds a
		// dozen tables at once, and larger ones on each level by default. With tables of
		// 8 MiB on all levels (see below), filling 1.5 GB takes 650 MiB at most, where 16 MiB that
		// double with the levels take 1,090; smaller ones save nothing more.
		WithBaseTableSize(tableSize).
		// While one merge of the first level is under way, Badger merges four others
		// that wait into a single table of any size, in memory of 256 MiB. Whoever
		// writes waits before there are so many.
		WithNumLevelZeroTables(mergedTables).
		WithNumLevelZeroTablesStall(stalledTables).
		// Compacting on closing would hold up a reload for seconds.
		WithCompactL0OnClose(false).
		WithChecksumVerificationMode(options.OnBlockRead)
	// Expired rows of the last level would stay there if the third compactor
	// did not rewrite it.
	engine.LmaxCompaction = true
	engine.TableSizeMultiplier = 1
	return engine
}
