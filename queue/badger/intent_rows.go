// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"cmp"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

// Intents that are noted at the same time share a row. They are closed soon,
// most often at about the same time, and a row for each would cost every
// exchange two writes. A row holds those of its intents that are still open: it
// is written again when some are closed, and deleted with the last. Rows are
// small, because an intent that is closed alone has all its companions written
// again.
const (
	// rowIntents and rowBytes limit how many intents share a row, and the size
	// up to which others join.
	rowIntents = 16
	rowBytes   = 4 << 10
)

// intentRow is a stored row with open intents. It belongs to the committer.
type intentRow struct {
	// number stands in the row's key: the lowest number of an intent in it.
	number  queue.IntentID
	intents []*openIntent
	// staged are the intents that the transaction leaves in it.
	staged []*openIntent
}

// stagedIntents are the open intents that a transaction changes.
type stagedIntents struct {
	noted  []*openIntent
	closed map[queue.IntentID]struct{}
	// rows are the rows that the transaction writes or deletes.
	rows map[*intentRow]struct{}
}

func newStagedIntents() stagedIntents {
	return stagedIntents{closed: make(map[queue.IntentID]struct{}), rows: make(map[*intentRow]struct{})}
}

func (i *stagedIntents) reset() {
	clear(i.noted)
	i.noted = i.noted[:0]
	clear(i.closed)
	clear(i.rows)
}

// intent returns an intent that is open within the transaction, or nil.
func (b *batch) intent(id queue.IntentID) *openIntent {
	if _, closed := b.intents.closed[id]; closed || id == 0 {
		return nil
	}
	if intent := b.s.intents.get(id); intent != nil {
		return intent
	}
	// Its caller has not waited for it to be noted.
	at := slices.IndexFunc(b.intents.noted, func(one *openIntent) bool { return one.id == id })
	if at < 0 {
		return nil
	}
	return b.intents.noted[at]
}

// note stages an intent.
func (b *batch) note(intent *openIntent) {
	b.intents.noted = append(b.intents.noted, intent)
	b.rows++
}

// closeIntent stages the end of an intent.
func (b *batch) closeIntent(intent *openIntent) {
	b.rows++
	b.intents.closed[intent.id] = struct{}{}
	if intent.row == nil {
		return
	}
	if _, staged := b.intents.rows[intent.row]; !staged {
		b.intents.rows[intent.row] = struct{}{}
		b.bytes += rowSize(intent.row.intents)
	}
}

func (b *batch) isClosed(intent *openIntent) bool {
	_, closed := b.intents.closed[intent.id]
	return closed
}

// writeIntents writes the rows of the staged intents.
func (b *batch) writeIntents() {
	for row := range b.intents.rows {
		row.staged = slices.DeleteFunc(slices.Clone(row.intents), b.isClosed)
		b.writeRow(row)
	}
	noted := slices.DeleteFunc(b.intents.noted, b.isClosed)
	for len(noted) > 0 {
		n := 1
		for n < min(len(noted), rowIntents) && rowSize(noted[:n+1]) <= rowBytes {
			n++
		}
		row := &intentRow{staged: slices.Clone(noted[:n])}
		row.number = slices.MinFunc(row.staged, func(a, b *openIntent) int { return cmp.Compare(a.id, b.id) }).id
		b.intents.rows[row] = struct{}{}
		b.writeRow(row)
		noted = noted[n:]
	}
}

func (b *batch) writeRow(row *intentRow) {
	key := b.key(func(k []byte) []byte { return numberKey(k, kindIntent, uint64(row.number)) })
	if len(row.staged) == 0 {
		b.delete(key)
		return
	}
	b.set(key, b.key(func(k []byte) []byte { return record.AppendIntents(k, row.number, row.staged) }))
}

// keepIntents applies the staged changes to memory, once they are committed.
func (b *batch) keepIntents() {
	for row := range b.intents.rows {
		row.intents, row.staged = row.staged, nil
		for _, intent := range row.intents {
			if intent.row == nil {
				intent.row = row
				b.s.intents.note(intent)
			}
		}
	}
	for id := range b.intents.closed {
		b.s.intents.close(id)
	}
}

// rowSize returns what a row with some intents takes, at most.
func rowSize(intents []*openIntent) (size int) {
	for _, intent := range intents {
		size += len(intent.fields) + 10
	}
	return size
}
