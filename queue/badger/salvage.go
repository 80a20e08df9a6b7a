// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	badgerdb "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
)

// Salvage makes the queue of a directory from what can be read of a damaged
// one. The findings say what could not be read. A key whose newest state is
// unreadable is as it was before: a delivery may be made again, and an object
// read again, but nothing is made up.
func Salvage(ctx context.Context, kept, dir string) (Restored, error) {
	inspection, err := Inspect(kept)
	if err != nil {
		return Restored{}, err
	}
	restored := Restored{Findings: inspection.Findings}
	known := new(Inspection).inspectManifest(filepath.Join(kept, badgerdb.ManifestFilename))
	tables, err := logFiles(kept, "*.sst")
	if err != nil {
		return restored, err
	}
	logs, err := logFiles(kept, "*.mem")
	if err != nil {
		return restored, err
	}
	if len(tables)+len(logs) == 0 {
		return restored, fmt.Errorf("there is no queue in %s", kept)
	}
	// Keys keep their versions, so their order does not matter.
	fill := func(db *badgerdb.DB) error {
		batch := db.NewManagedWriteBatch()
		defer batch.Cancel()
		visit := func(key, value []byte, meta byte, expires uint64) error {
			restored.Rows++
			if err := ctx.Err(); err != nil {
				return err
			}
			version := y.ParseTs(key)
			bare := bytes.Clone(y.ParseKey(key))
			if meta&entryDeleted != 0 {
				return batch.DeleteAt(bare, version)
			}
			return batch.SetEntryAt(&badgerdb.Entry{Key: bare, Value: bytes.Clone(value), ExpiresAt: expires}, version)
		}
		for _, name := range tables {
			compression := options.Snappy
			if id, ok := table.ParseFileID(filepath.Base(name)); ok && known[id].Level+uint8(known[id].Compression) > 0 {
				compression = known[id].Compression
			}
			if err := salvageTable(name, compression, visit); err != nil {
				return err
			}
		}
		for _, name := range logs {
			if err := salvageLog(name, visit); err != nil {
				return err
			}
		}
		return batch.Flush()
	}
	err = build(dir, func(options badgerdb.Options) error { return with(badgerdb.OpenManaged, options, fill) }, &restored)
	return restored, err
}

// visitor takes a key with its version, and its value then.
type visitor func(key, value []byte, meta byte, expires uint64) error

// entryDeleted and entryKeptElsewhere are bits of an entry's meta.
const (
	entryDeleted       = 1 << 0
	entryKeptElsewhere = 1 << 1
)

// salvageTable visits the keys of all blocks of a table that can be read.
func salvageTable(name string, compression options.CompressionType, visit visitor) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var t *table.Table
	var firsts [][]byte
	err = guarded(func() error {
		var err error
		if firsts, err = blockKeys(data); err != nil {
			return err
		}
		t, err = openTable(data, name, compression)
		return err
	})
	if err != nil {
		// Without its index, the table is lost. Inspect has reported that.
		return nil
	}
	defer func() { _ = t.DecrRef() }()
	for i, first := range firsts {
		var failed error
		_ = guarded(func() error {
			it := t.NewIterator(table.NOCACHE)
			defer func() { _ = it.Close() }()
			for it.Seek(first); it.Valid(); it.Next() {
				if i+1 < len(firsts) && y.CompareKeys(it.Key(), firsts[i+1]) >= 0 {
					break
				}
				value := it.Value()
				if value.Meta&entryKeptElsewhere != 0 {
					continue
				}
				if failed = visit(it.Key(), value.Value, value.Meta, value.ExpiresAt); failed != nil {
					break
				}
			}
			return nil
		})
		if failed != nil {
			return failed
		}
	}
	return nil
}

// openTable opens a table that was read into memory.
func openTable(data []byte, name string, compression options.CompressionType) (*table.Table, error) {
	id, _ := table.ParseFileID(filepath.Base(name))
	defaults := badgerdb.DefaultOptions("")
	return table.OpenInMemoryTable(data, id, &table.Options{
		BlockSize:   defaults.BlockSize,
		ChkMode:     options.OnBlockRead,
		Compression: compression,
	})
}

// blockKeys returns the first key of each block of a table, from its index:
//
//	blocks | index | its length 4 bytes | checksum | its length 4 bytes
func blockKeys(data []byte) ([][]byte, error) {
	end := len(data) - 4
	end -= int(binary.BigEndian.Uint32(data[end:])) + 4
	length := int(binary.BigEndian.Uint32(data[end:]))
	index := fb.GetRootAsTableIndex(data[end-length:end], 0)
	var keys [][]byte
	for i := range index.OffsetsLength() {
		var block fb.BlockOffset
		if !index.Offsets(&block, i) {
			return nil, errDamaged
		}
		keys = append(keys, bytes.Clone(block.KeyBytes()))
	}
	return keys, nil
}

// salvageLog visits all whole transactions of a log, also behind a hole.
func salvageLog(name string, visit visitor) error {
	log, err := readLog(name)
	if err != nil || len(log) < logHeader {
		return err
	}
	var open []logEntry
	lost := false // whether the beginning of a transaction is lost
	for at := logHeader; at < len(log); {
		e, ok := parseLogEntry(log[at:])
		if !ok || e.size > len(log)-at {
			lost, open = true, nil
			at++
			continue
		}
		at += e.size
		switch {
		case e.meta&entryFinal != 0:
			for _, one := range open {
				if lost {
					break
				}
				if err := visit(one.key, one.value, one.meta, one.expires); err != nil {
					return err
				}
			}
			open, lost = nil, false
		case len(open) > 0 && open[0].txn() != e.txn():
			open, lost = nil, true
		default:
			open = append(open, e)
		}
	}
	return nil
}
