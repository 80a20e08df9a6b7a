// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

// The layout of Badger's logs:
//
//	key id 8 bytes | initialisation vector 12 bytes | entries | zeros
//
// and of an entry:
//
//	meta 1 byte | user meta 1 byte | key length | value length | expires at |
//	key | value | CRC-32C 4 bytes
//
// with varints in the middle. Keys end with the number of their transaction,
// and an entry that is its last one ends a transaction.
const (
	logHeader = 8 + 12
	maxLogKey = 1 << 16
	// The queue has no larger values; in damaged bytes, any length may stand.
	maxLogValue = 2 << 20
	entryTxn    = 1 << 6
	entryFinal  = 1 << 7
)

// logEntry is an entry of a log.
type logEntry struct {
	meta    byte
	key     []byte // with its transaction
	value   []byte
	expires uint64
	size    int
}

// parseLogEntry decodes the entry that some bytes begin with.
func parseLogEntry(b []byte) (logEntry, bool) {
	if len(b) < 2 {
		return logEntry{}, false
	}
	e := logEntry{meta: b[0], size: 2}
	var lengths [3]uint64
	for i := range lengths {
		value, n := binary.Uvarint(b[e.size:])
		if n <= 0 {
			return logEntry{}, false
		}
		lengths[i] = value
		e.size += n
	}
	rest := uint64(len(b) - e.size)
	if lengths[0] > maxLogKey || lengths[1] > maxLogValue || lengths[0]+lengths[1]+crc32.Size > rest {
		return logEntry{}, false
	}
	e.expires = lengths[2]
	e.key = b[e.size:][:lengths[0]]
	e.value = b[e.size+len(e.key):][:lengths[1]]
	e.size += len(e.key) + len(e.value)
	if binary.BigEndian.Uint32(b[e.size:]) != crc32.Checksum(b[:e.size], record.Castagnoli) {
		return logEntry{}, false
	}
	e.size += crc32.Size
	return e, len(e.key) >= 8
}

// txn returns the number of the entry's transaction.
func (e logEntry) txn() uint64 {
	return ^binary.BigEndian.Uint64(e.key[len(e.key)-8:])
}

// scanLog returns the numbers of the batches that Badger will find in a log,
// and where it will stop. It cuts off the rest.
func scanLog(log []byte) (batches []uint64, end int) {
	end = logHeader
	var open uint64
	var numbers []uint64
	for at := end; at < len(log); {
		e, ok := parseLogEntry(log[at:])
		if !ok {
			return batches, end
		}
		at += e.size
		switch {
		case e.meta&entryTxn != 0:
			if open == 0 {
				open = e.txn()
			}
			if open != e.txn() {
				return batches, end
			}
			if bytes.Equal(e.key[:len(e.key)-8], batchKey) {
				if number, err := parseBatchNumber(e.value); err == nil {
					numbers = append(numbers, number)
				}
			}
		case e.meta&entryFinal != 0:
			if number, err := strconv.ParseUint(string(e.value), 10, 64); err != nil || number != open {
				return batches, end
			}
			open = 0
			end = at
			batches, numbers = append(batches, numbers...), numbers[:0]
		default:
			// An entry of its own. There is none within a transaction.
			if open != 0 {
				return batches, end
			}
			end = at
		}
	}
	return batches, end
}

// readLog reads a log up to its end: Badger makes files larger than what it
// writes, and a chunk of zeros ends every log.
func readLog(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	const chunk = 1 << 20
	var log []byte
	for {
		begin := len(log)
		log = slices.Grow(log, chunk)[:begin+chunk]
		n, err := io.ReadFull(f, log[begin:])
		log = log[:begin+n]
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return log, nil
		}
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimLeft(log[begin:], "\x00")) == 0 {
			return log, nil
		}
	}
}

// trimLogs cuts off the torn ends of logs. Badger does the same, but trusts the
// lengths that it finds there.
func (i *Inspection) trimLogs() error {
	for name, end := range i.torn {
		if err := os.Truncate(name, end); err != nil {
			return err
		}
	}
	return nil
}

// inspectLogs reads the logs in their order. The numbers of their batches go on
// without a hole, except where a power cut took batches that were not synced.
func (i *Inspection) inspectLogs(names []string) {
	i.Logs = len(names)
	// The tables hold the batches of logs that are gone.
	last := i.LastBatch
	for _, name := range names {
		log, err := readLog(name)
		if err != nil {
			i.found(name, "%v", err)
			continue
		}
		i.read(int64(len(log)))
		if len(log) == 0 {
			// It was being made, or deleted, see removeEmptyLogs.
			continue
		}
		if len(log) < logHeader {
			i.found(name, "it ends within its header")
			continue
		}
		if binary.BigEndian.Uint64(log) != 0 {
			i.found(name, "its header names a key, and the queue has none")
		}
		batches, end := scanLog(log)
		for _, number := range batches {
			// A crash may leave a log beside its table, so the first number may
			// be lower than the last one of the tables.
			if number > last+1 {
				i.hole(name, last, number)
			}
			last = number
			i.batch(number)
		}
		if torn := len(bytes.TrimRight(log[end:], "\x00")); torn > 0 {
			i.noted(name, "%d bytes behind the last whole transaction cannot be read", torn)
			i.torn[name] = int64(end)
		}
	}
}

// hole reports the batches that are missing between two.
func (i *Inspection) hole(name string, before, after uint64) {
	if before < i.Acknowledged {
		i.found(name, "batch %d follows batch %d: what was between is lost", after, before)
		return
	}
	i.noted(name, "batch %d follows batch %d: what was between was not synced, and is lost", after, before)
	i.missing += after - before - 1
}

// inspectValueLog inspects a file for large values. The queue has none.
func (i *Inspection) inspectValueLog(name string) {
	log, err := readLog(name)
	if err != nil {
		i.found(name, "%v", err)
		return
	}
	i.read(int64(len(log)))
	head := log[:min(len(log), logHeader)]
	switch {
	case len(log) == 0:
	case len(log) < logHeader || binary.BigEndian.Uint64(log) != 0:
		i.found(name, "its header is damaged")
	case slices.ContainsFunc(log[len(head):], func(b byte) bool { return b != 0 }):
		i.found(name, "it holds something, and the queue keeps nothing in it")
	}
}

// describe returns the findings in one line.
func (i *Inspection) describe() string {
	if len(i.Findings) == 0 {
		return "nothing is wrong"
	}
	text := fmt.Sprintf("%s: %s", i.Findings[0].File, i.Findings[0].Problem)
	if more := len(i.Findings) - 1; more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	return text
}
