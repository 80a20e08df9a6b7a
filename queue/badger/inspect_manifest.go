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

// inspectTables reads every block of every table.
func (i *Inspection) inspectTables(dir string, tables map[uint64]badgerdb.TableManifest) {
	names := make([]string, 0, len(tables))
	for id := range tables {
		names = append(names, table.NewFilename(id, dir))
	}
	// Reused memory need not be cleared or given back, which would take a fifth
	// of the time.
	var buffers sync.Pool
	concurrently(names, func(name string) {
		id, _ := table.ParseFileID(filepath.Base(name))
		buffer, _ := buffers.Get().(*bytes.Buffer)
		if buffer == nil {
			buffer = new(bytes.Buffer)
		}
		defer buffers.Put(buffer)
		if err := guarded(func() error { return i.inspectTable(name, buffer, tables[id].Compression) }); err != nil {
			i.found(name, "%v", err)
		}
	})
	i.Tables = len(names)
}

// readInto replaces the content of a buffer by that of a file.
func readInto(buffer *bytes.Buffer, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	buffer.Reset()
	if info, err := f.Stat(); err == nil {
		// ReadFrom wants some room behind the end.
		buffer.Grow(int(info.Size()) + bytes.MinRead)
	}
	_, err = buffer.ReadFrom(f)
	return err
}

func (i *Inspection) inspectTable(name string, buffer *bytes.Buffer, compression options.CompressionType) error {
	if err := readInto(buffer, name); err != nil {
		return err
	}
	data := buffer.Bytes()
	if len(data) == 0 {
		return fmt.Errorf("%w: it is empty", errDamaged)
	}
	t, err := openTable(data, name, compression)
	if err != nil {
		return err
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
			return fmt.Errorf("the number of a batch: %w", err)
		}
		i.batch(number)
	}
	// An iterator takes an unreadable block for the end.
	if keys != t.KeyCount() {
		return errors.Join(fmt.Errorf("%w: %d of its %d keys can be read", errDamaged, keys, t.KeyCount()), guarded(t.VerifyChecksum))
	}
	i.read(int64(len(data)))
	return nil
}
