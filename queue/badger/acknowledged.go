// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

// Every batch has a number, one more than the one before, and writes it into
// the store. The number of the last acknowledged batch stands in a file of its
// own. When the queue is opened, a store that ends before that number has lost
// acknowledged work: so damage shows that Badger takes for the torn end of a
// log.

// acknowledgedFile holds the numbers of the last batches that were
// acknowledged:
//
//	version 1 byte | synced 8 bytes | committed 8 bytes | CRC-32C 4 bytes
//
// It is never synced: after a power cut it may be older than the store, which
// does no harm. It is never newer.
const acknowledgedFile = "acknowledged"

const (
	acknowledgedVersion = 1
	acknowledgedLength  = 1 + 8 + 8 + 4
)

// acknowledged holds the numbers of the last acknowledged batches.
type acknowledged struct {
	// synced is the last batch that a power cut cannot take; committed is the
	// last that a crash of the process cannot.
	synced, committed uint64
}

func (a acknowledged) encode() []byte {
	b := make([]byte, 0, acknowledgedLength)
	b = append(b, acknowledgedVersion)
	b = binary.BigEndian.AppendUint64(b, a.synced)
	b = binary.BigEndian.AppendUint64(b, a.committed)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, record.Castagnoli))
}

// readAcknowledged reads the file. There is none before the first batch.
func readAcknowledged(dir string) (acknowledged, error) {
	b, err := os.ReadFile(filepath.Join(dir, acknowledgedFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return acknowledged{}, err
	}
	if len(bytes.Trim(b, "\x00")) == 0 {
		// As the file is not synced, a power cut may leave its name only.
		return acknowledged{}, nil
	}
	if len(b) != acknowledgedLength || b[0] != acknowledgedVersion ||
		crc32.Checksum(b[:len(b)-4], record.Castagnoli) != binary.BigEndian.Uint32(b[len(b)-4:]) {
		return acknowledged{}, fmt.Errorf("%w: %s", errDamaged, acknowledgedFile)
	}
	return acknowledged{synced: binary.BigEndian.Uint64(b[1:]), committed: binary.BigEndian.Uint64(b[9:])}, nil
}

// acknowledger writes the file. It belongs to the committer.
type acknowledger struct {
	f     *os.File
	known acknowledged
}

func newAcknowledger(dir string) (*acknowledger, error) {
	known, err := readAcknowledged(dir)
	if err != nil && !errors.Is(err, errDamaged) {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, acknowledgedFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return &acknowledger{f: f, known: known}, nil
}

// note notes a batch that is about to be acknowledged. It passes over errors:
// the file then says less than is true.
func (a *acknowledger) note(number uint64, synced bool) {
	before := a.known
	a.known.committed = max(a.known.committed, number)
	if synced {
		a.known.synced = max(a.known.synced, number)
	}
	if a.known == before {
		return
	}
	_, _ = a.f.WriteAt(a.known.encode(), 0)
}

func (a *acknowledger) close() error {
	return a.f.Close()
}
