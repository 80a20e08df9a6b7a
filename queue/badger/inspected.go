// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/binary"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

// Badger never changes a table that it has made, and reading all of them is what
// takes longest when a queue with much history is opened. So the tables that were
// read to their end stand in a file of their own, and the next start does not read
// them again before it opens the queue; it does so afterwards, see inspector.

// inspectedFile lists the tables that were read to their end and are whole:
//
//	version 1 byte | number of tables | tables | CRC-32C 4 bytes
//
// with numbers as varints, and of a table, in the order of their ids:
//
//	id | size | modified | tail 4 bytes | last batch
//
// It is never synced: whatever is wrong with it, all tables are read.
const inspectedFile = "inspected"

const inspectedVersion = 1

// inspectedTable identifies a table that was read to its end. A table of the same
// name that was made, copied or written since has another time.
type inspectedTable struct {
	// size is in bytes, and modified in nanoseconds since 1970.
	size     uint64
	modified uint64
	// tail is the checksum of its last bytes, which hold the checksum of its index.
	tail uint32
	// lastBatch is the highest number of a batch in it, 0 if there is none.
	lastBatch uint64
}

// inspectedTables are the tables that were read, by their ids.
type inspectedTables map[uint64]inspectedTable

func (t inspectedTables) encode() []byte {
	b := binary.AppendUvarint([]byte{inspectedVersion}, uint64(len(t)))
	for _, id := range slices.Sorted(maps.Keys(t)) {
		table := t[id]
		b = binary.AppendUvarint(b, id)
		b = binary.AppendUvarint(b, table.size)
		b = binary.AppendUvarint(b, table.modified)
		b = binary.BigEndian.AppendUint32(b, table.tail)
		b = binary.AppendUvarint(b, table.lastBatch)
	}
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, record.Castagnoli))
}

// parseInspected decodes the file. Of a file that is damaged or of another version
// it returns nothing.
func parseInspected(b []byte) inspectedTables {
	end := len(b) - crc32.Size
	if end < 1 || b[0] != inspectedVersion || crc32.Checksum(b[:end], record.Castagnoli) != binary.BigEndian.Uint32(b[end:]) {
		return nil
	}
	r := record.NewReader(b[:end], inspectedVersion)
	n := r.Count()
	tables := make(inspectedTables, n)
	for range n {
		id := r.Uint()
		table := inspectedTable{size: r.Uint(), modified: r.Uint()}
		if len(r.Rest) < crc32.Size {
			return nil
		}
		table.tail = binary.BigEndian.Uint32(r.Rest)
		r.Rest = r.Rest[crc32.Size:]
		table.lastBatch = r.Uint()
		tables[id] = table
	}
	if r.End() != nil || len(tables) != n {
		return nil
	}
	return tables
}

// readInspected reads the file of a directory; nil if there is no use in it.
func readInspected(dir string) inspectedTables {
	b, err := os.ReadFile(filepath.Join(dir, inspectedFile))
	if err != nil {
		return nil
	}
	return parseInspected(b)
}

// write writes the file of a directory.
func (t inspectedTables) write(dir string) error {
	name := filepath.Join(dir, inspectedFile)
	if err := os.WriteFile(name+".new", t.encode(), 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// identify returns what identifies a table, from its file and its content.
func identify(info os.FileInfo, data []byte) inspectedTable {
	const tail = 64
	return inspectedTable{
		size: uint64(len(data)), modified: uint64(info.ModTime().UnixNano()),
		tail: crc32.Checksum(data[max(0, len(data)-tail):], record.Castagnoli),
	}
}

// is reports whether two tables are the same.
func (t inspectedTable) is(other inspectedTable) bool {
	t.lastBatch = other.lastBatch
	return t == other
}
