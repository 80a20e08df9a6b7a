// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

// The layout of a backup:
//
//	"CWQB" | version 1 byte | frames
//
// The first frame is a header, the last an end, both in JSON; between them are
// rows. A backup without its end is not whole, and is not restored.
const (
	backupMagic   = "CWQB"
	backupVersion = 1
	frameHeader   = 'H'
	frameRows     = 'R'
	frameEnd      = 'E'
	// rowsSize is about how much a frame holds.
	rowsSize = 1 << 20
)

// BackupHeader says what a backup is of.
type BackupHeader struct {
	// Instance is the queue's, in hexadecimal. Only backups of one instance
	// belong together.
	Instance string `json:"instance"`
	// Since is the version after which the backup begins, 0 for all.
	Since uint64 `json:"since"`
	// At is when it was made.
	At time.Time `json:"at"`
}

// BackupEnd says where a backup ends.
type BackupEnd struct {
	// Until is the version that the next incremental backup begins after.
	Until uint64 `json:"until"`
	// Rows counts the rows.
	Rows uint64 `json:"rows"`
}

// row is one key of a backup, as it was last.
type row struct {
	key, value []byte
	expires    uint64
	deleted    bool
}

// Backup implements [queue.Backuper]. Deletes are in an incremental backup as
// long as Badger remembers them, so a delivery that was decided between two
// backups may come back as pending; [Restore] drops it.
func (s *Store) Backup(ctx context.Context, w io.Writer, since uint64) (until uint64, err error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer s.ground.recovered(&err)
	out := newBackupWriter(w)
	header := BackupHeader{Instance: hex.EncodeToString(s.instance.ID[:]), Since: since, At: s.now().UTC()}
	if err := out.json(frameHeader, header); err != nil {
		return 0, err
	}
	txn := s.db.NewTransaction(false)
	defer txn.Discard()
	end := BackupEnd{Until: txn.ReadTs()}
	it := txn.NewIterator(badgerdb.IteratorOptions{AllVersions: true, SinceTs: since})
	defer it.Close()
	var last []byte
	for it.Rewind(); it.Valid(); it.Next() {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if s.isClosing() {
			return 0, queue.ErrClosed
		}
		item := it.Item()
		if last != nil && bytes.Equal(item.Key(), last) {
			continue // an older version
		}
		last = item.KeyCopy(last)
		one := row{key: last, expires: item.ExpiresAt(), deleted: item.IsDeletedOrExpired()}
		if one.deleted && since == 0 {
			continue
		}
		if !one.deleted {
			var err error
			if one.value, err = item.ValueCopy(one.value); err != nil {
				return 0, err
			}
		}
		end.Rows++
		if err := out.row(one); err != nil {
			return 0, err
		}
	}
	if err := out.flushRows(); err != nil {
		return 0, err
	}
	return end.Until, errors.Join(out.json(frameEnd, end), out.w.Flush())
}

// backupWriter writes frames.
type backupWriter struct {
	w     *bufio.Writer
	begun bool
	rows  []byte
}

func newBackupWriter(w io.Writer) *backupWriter {
	return &backupWriter{w: bufio.NewWriterSize(w, 64<<10)}
}

func (b *backupWriter) frame(kind byte, content []byte) error {
	if !b.begun {
		b.begun = true
		if _, err := b.w.WriteString(backupMagic + string([]byte{backupVersion})); err != nil {
			return err
		}
	}
	_, err := b.w.Write(record.AppendFrame(nil, kind, content))
	return err
}

func (b *backupWriter) json(kind byte, content any) error {
	text, err := json.Marshal(content)
	if err != nil {
		return err
	}
	return b.frame(kind, text)
}

// row adds a row: deleted 1 byte, expiry, key, value.
func (b *backupWriter) row(one row) error {
	deleted := byte(0)
	if one.deleted {
		deleted = 1
	}
	b.rows = append(b.rows, deleted)
	b.rows = binary.AppendUvarint(b.rows, one.expires)
	b.rows = record.AppendText(b.rows, one.key)
	b.rows = record.AppendText(b.rows, one.value)
	if len(b.rows) < rowsSize {
		return nil
	}
	return b.flushRows()
}

func (b *backupWriter) flushRows() error {
	if len(b.rows) == 0 {
		return nil
	}
	err := b.frame(frameRows, b.rows)
	b.rows = b.rows[:0]
	return err
}

// readBackup reads a backup and visits its rows. It returns [ErrBadBackup] for
// one that is damaged or not whole.
func readBackup(r io.Reader, begin func(BackupHeader) error, visit func(row) error) (BackupEnd, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	magic := make([]byte, len(backupMagic)+1)
	if _, err := io.ReadFull(in, magic); err != nil || string(magic[:len(backupMagic)]) != backupMagic {
		return BackupEnd{}, fmt.Errorf("%w: it does not begin like one", ErrBadBackup)
	}
	if magic[len(backupMagic)] > backupVersion {
		return BackupEnd{}, fmt.Errorf("%w: backup version %d, this one knows %d", queue.ErrNewerFormat, magic[len(backupMagic)], backupVersion)
	}
	rows, begun := uint64(0), false
	for {
		kind, content, err := record.ReadFrame(in)
		if err != nil {
			return BackupEnd{}, fmt.Errorf("%w: %w", ErrBadBackup, err)
		}
		switch {
		case kind == frameHeader && !begun:
			begun = true
			var header BackupHeader
			if err := json.Unmarshal(content, &header); err != nil {
				return BackupEnd{}, fmt.Errorf("%w: its header: %v", ErrBadBackup, err) //nolint:errorlint // the cause is shown, not matched
			}
			if err := begin(header); err != nil {
				return BackupEnd{}, err
			}
		case kind == frameRows && begun:
			n, err := readRows(content, visit)
			rows += n
			if err != nil {
				return BackupEnd{}, err
			}
		case kind == frameEnd && begun:
			var end BackupEnd
			if err := json.Unmarshal(content, &end); err != nil || end.Rows != rows {
				return BackupEnd{}, fmt.Errorf("%w: it has %d rows instead of %d", ErrBadBackup, rows, end.Rows)
			}
			return end, nil
		default:
			return BackupEnd{}, fmt.Errorf("%w: a frame of kind %q is out of place", ErrBadBackup, kind)
		}
	}
}

func readRows(content []byte, visit func(row) error) (rows uint64, err error) {
	r := record.Reader{Rest: content}
	for len(r.Rest) > 0 {
		one := row{deleted: r.Rest[0] == 1}
		r.Rest = r.Rest[1:]
		one.expires = r.Uint()
		one.key, one.value = r.Bytes(), r.Bytes()
		if r.Err != nil || len(one.key) == 0 {
			return rows, fmt.Errorf("%w: a row cannot be read", ErrBadBackup)
		}
		rows++
		if err := visit(one); err != nil {
			return rows, err
		}
	}
	return rows, nil
}
