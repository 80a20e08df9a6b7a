// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

var someInspected = inspectedTables{
	7:   {size: 2_031_246, modified: 1_800_000_000_123_456_789, tail: 0x01020304, lastBatch: 70_000},
	3:   {size: 120, modified: 1_700_000_000_000_000_000, tail: 0xfffefdfc},
	300: {size: 1, modified: 1, tail: 0, lastBatch: 1},
}

// The bytes of the first version. Files of this version must be readable as long as
// the version has not changed.
func TestInspectedBytes(t *testing.T) {
	const golden = "0103" + "0378" + "8080a8b1e39fe7cb17" + "fffefdfc" + "00" +
		"07" + "8efd7b" + "959abfd8e9ceb8fd18" + "01020304" + "f0a204" +
		"ac02" + "01" + "01" + "00000000" + "01" + "00000000"
	want, err := hex.DecodeString(golden)
	must(t, err)
	end := len(want) - crc32.Size
	binary.BigEndian.PutUint32(want[end:], crc32.Checksum(want[:end], record.Castagnoli))
	if got := someInspected.encode(); !bytes.Equal(got, want) {
		t.Errorf("got\n%x, want\n%x", got, want)
	}
	if got := parseInspected(want); !maps.Equal(got, someInspected) {
		t.Errorf("got %v", got)
	}
	if got := parseInspected(inspectedTables{}.encode()); got == nil || len(got) > 0 {
		t.Errorf("no tables: got %v", got)
	}
}

// Whatever is wrong with the file, no table is taken for whole.
func TestDamagedInspected(t *testing.T) {
	dir := t.TempDir()
	if got := readInspected(dir); got != nil {
		t.Errorf("without a file: %v", got)
	}
	whole := someInspected.encode()
	read := func(content []byte) inspectedTables {
		must(t, os.WriteFile(filepath.Join(dir, inspectedFile), content, 0o600))
		return readInspected(dir)
	}
	if got := read(whole); !maps.Equal(got, someInspected) {
		t.Fatalf("got %v", got)
	}
	for at := range whole {
		for bit := range 8 {
			changed := bytes.Clone(whole)
			changed[at] ^= 1 << bit
			if got := read(changed); got != nil {
				t.Errorf("bit %d of byte %d: %v", bit, at, got)
			}
		}
	}
	for length := range whole {
		if got := read(whole[:length]); got != nil {
			t.Errorf("cut to %d bytes: %v", length, got)
		}
	}
	for _, version := range []byte{0, inspectedVersion + 1} {
		other := append([]byte{version}, whole[1:len(whole)-crc32.Size]...)
		if got := read(binary.BigEndian.AppendUint32(other, crc32.Checksum(other, record.Castagnoli))); got != nil {
			t.Errorf("version %d: %v", version, got)
		}
	}
	if got := read(make([]byte, len(whole))); got != nil {
		t.Errorf("zeros: %v", got)
	}
}

func FuzzInspected(f *testing.F) {
	for _, tables := range []inspectedTables{nil, {}, someInspected} {
		b := tables.encode()
		f.Add(b[:len(b)-crc32.Size])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = parseInspected(b)
		// Nothing gets further without its checksum.
		tables := parseInspected(binary.BigEndian.AppendUint32(b, crc32.Checksum(b, record.Castagnoli)))
		if tables == nil {
			return
		}
		if again := parseInspected(tables.encode()); !maps.Equal(again, tables) {
			t.Errorf("%v is read as %v", tables, again)
		}
	})
}
