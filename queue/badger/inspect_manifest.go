// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	badgerdb "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
)

// inspectManifest reads Badger's list of tables to its end. Badger takes an
// incomplete record for a torn write: it forgets that record and all behind it,
// and deletes the tables that they name.
func (i *Inspection) inspectManifest(name string) map[uint64]badgerdb.TableManifest {
	var manifest badgerdb.Manifest
	err := guarded(func() error {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		var end int64
		manifest, end, err = badgerdb.ReplayManifestFile(f, 0, badgerdb.Options{})
		if err != nil {
			return err
		}
		if end != info.Size() {
			return fmt.Errorf("%w: it ends within a record: %d bytes of %d can be read", errDamaged, end, info.Size())
		}
		i.read(end)
		return nil
	})
	if err != nil {
		i.found(name, "%v", err)
		return nil
	}
	return manifest.Tables
}

// inspectTables reads every block of every table, but for those that are known:
// of them it reads what Badger reads when it opens them, in goroutines of its own
// that nobody can keep from ending the process.
func (i *Inspection) inspectTables(dir string, tables map[uint64]badgerdb.TableManifest, known inspectedTables) {
	names := make([]string, 0, len(tables))
	for id := range tables {
		names = append(names, table.NewFilename(id, dir))
	}
	// Reused memory need not be cleared or given back, which would take a fifth
	// of the time.
	var buffers sync.Pool
	concurrently(names, func(name string) {
		id, _ := table.ParseFileID(filepath.Base(name))
		if before, ok := known[id]; ok {
			same, err := i.inspectKnown(name, before, tables[id].Compression)
			if err != nil {
				i.found(name, "%v", err)
			}
			if same || err != nil {
				return
			}
		}
		buffer, _ := buffers.Get().(*bytes.Buffer)
		if buffer == nil {
			buffer = new(bytes.Buffer)
		}
		defer buffers.Put(buffer)
		info, err := readInto(buffer, name)
		if err == nil {
			err = i.inspectTable(name, info, buffer.Bytes(), tables[id].Compression)
		}
		if err != nil {
			i.found(name, "%v", err)
		}
	})
	i.Tables = len(names)
}

// inspectKnown opens a table that was read to its end before. It reports whether
// this is the same table.
func (i *Inspection) inspectKnown(name string, before inspectedTable, compression options.CompressionType) (same bool, err error) {
	err = withMapped(name, func(data []byte, info os.FileInfo) error {
		if !identify(info, data).is(before) {
			return nil
		}
		same = true
		t, err := openTable(data, name, compression)
		if err != nil {
			return err
		}
		return t.DecrRef()
	})
	if err == nil && same {
		i.batch(before.lastBatch)
		i.inspected(name, before, true)
	}
	return same, err
}

// inspectMapped is inspectTable of a file that is not read into memory first.
func (i *Inspection) inspectMapped(name string, compression options.CompressionType) error {
	return withMapped(name, func(data []byte, info os.FileInfo) error {
		return i.inspectTable(name, info, data, compression)
	})
}

// withMapped has bytes of a file checked that may be damaged.
func withMapped(name string, check func(data []byte, info os.FileInfo) error) error {
	data, info, unmap, err := mapFile(name)
	if err != nil {
		return err
	}
	defer unmap()
	return guarded(func() error { return check(data, info) })
}

// inspected takes note of a table that is whole.
func (i *Inspection) inspected(name string, t inspectedTable, trusted bool) {
	id, ok := table.ParseFileID(filepath.Base(name))
	if !ok {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.whole[id] = t
	if trusted {
		i.trusted[id] = true
	}
}

// readInto replaces the content of a buffer by that of a file.
func readInto(buffer *bytes.Buffer, name string) (os.FileInfo, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	buffer.Reset()
	// ReadFrom wants some room behind the end.
	buffer.Grow(int(info.Size()) + bytes.MinRead)
	_, err = buffer.ReadFrom(f)
	return info, err
}

// inspectTable reads every block of a table.
func (i *Inspection) inspectTable(name string, info os.FileInfo, data []byte, compression options.CompressionType) error {
	return guarded(func() error {
		whole, err := readTable(name, info, data, compression)
		if err != nil {
			return err
		}
		i.batch(whole.lastBatch)
		i.read(int64(len(data)))
		i.inspected(name, whole, false)
		return nil
	})
}

// readTable reads every block of a table, and returns what identifies it.
func readTable(name string, info os.FileInfo, data []byte, compression options.CompressionType) (inspectedTable, error) {
	if len(data) == 0 {
		return inspectedTable{}, fmt.Errorf("%w: it is empty", errDamaged)
	}
	whole := identify(info, data)
	t, err := openTable(data, name, compression)
	if err != nil {
		return whole, err
	}
	defer func() { _ = t.DecrRef() }()
	keys := uint32(0)
	it := t.NewIterator(table.NOCACHE)
	defer func() { _ = it.Close() }()
	for it.Rewind(); it.Valid(); it.Next() {
		keys++
		key := it.Key()
		if len(key) != len(batchKey)+8 || !bytes.Equal(key[:len(batchKey)], batchKey) {
			continue
		}
		number, err := parseBatchNumber(it.Value().Value)
		if err != nil {
			return whole, fmt.Errorf("the number of a batch: %w", err)
		}
		whole.lastBatch = max(whole.lastBatch, number)
	}
	// An iterator takes an unreadable block for the end.
	if keys != t.KeyCount() {
		return whole, errors.Join(fmt.Errorf("%w: %d of its %d keys can be read", errDamaged, keys, t.KeyCount()), guarded(t.VerifyChecksum))
	}
	return whole, nil
}
