// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/caddy-webhooks/caddy-webhooks/internal/diskwriter"
	"github.com/caddy-webhooks/caddy-webhooks/internal/failpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/disk"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

// The layout of [queue.JournalFile]:
//
//	header: "CWQI" | version 1 byte | length 8 bytes | CRC-32C of all before 4 bytes
//	frames, as many as the length says, in bytes
//
// The header is written in place, after the frames and before they are
// acknowledged. So bytes behind the length were never acknowledged: a crash has
// left them half written. Damaged bytes before it were.
const (
	magic       = "CWQI"
	fileVersion = 1
	headerSize  = len(magic) + 1 + 8 + crc32.Size
)

// file appends frames to the file. Frames that are appended at the same time
// share a sync.
type file struct {
	f      diskFile
	writer *diskwriter.Writer
	sync   bool
	// given is the length with all frames that were appended.
	given int64

	// size is the length that is acknowledged, and broken why nothing more is
	// written. Both belong to the writer.
	size   int64
	broken error
	closed atomic.Bool
}

// diskFile is an open file. Tests lose what is not synced.
type diskFile interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
}

// dataFile is a file whose times need not be durable.
type dataFile struct{ *os.File }

func (f dataFile) Sync() error { return disk.SyncData(f.File) }

// openFile opens the file of a directory and reads its entries. A file that is
// returned with an error works.
func openFile(dir string, durability queue.Durability) (*file, map[queue.IntentID]*entry, error) {
	name := filepath.Join(dir, queue.JournalFile)
	_, err := os.Stat(name)
	isNew := errors.Is(err, os.ErrNotExist)
	opened, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, nil, err
	}
	f := newFile(dataFile{opened}, durability)
	if isNew {
		if err := errors.Join(f.acknowledge(0), disk.SyncDir(dir)); err != nil {
			return nil, nil, errors.Join(err, opened.Close())
		}
		return f, nil, nil
	}
	left, err := f.read()
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
		if !errors.Is(err, ErrDamaged) && !errors.Is(err, queue.ErrNewerFormat) {
			return nil, nil, errors.Join(err, opened.Close())
		}
	}
	return f, left, err
}

func newFile(opened diskFile, durability queue.Durability) *file {
	f := &file{f: opened, sync: durability == queue.Power}
	f.writer = diskwriter.New(f.write, func(waiting, content []byte) []byte { return append(waiting, content...) }, writeTimeout)
	return f
}

// read reads the entries. Frames are appended behind the last that is good.
func (f *file) read() (map[queue.IntentID]*entry, error) {
	content, err := io.ReadAll(io.NewSectionReader(f.f, 0, maxBytes+record.MaxFrame))
	if err != nil {
		return nil, err
	}
	left, good, err := decode(content)
	f.size, f.given = good, good
	return left, err
}

// Check reports damage of the journal in a directory. There may be none.
func Check(dir string) error {
	content, err := os.ReadFile(filepath.Join(dir, queue.JournalFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		_, _, err = decode(content)
	}
	return err
}

// decode decodes the content of the file, and returns how many bytes of frames
// are good.
func decode(content []byte) (left map[queue.IntentID]*entry, good int64, err error) {
	left = make(map[queue.IntentID]*entry)
	length, err := readHeader(content)
	if err != nil {
		return left, 0, err
	}
	if length > uint64(len(content)-headerSize) {
		err = fmt.Errorf("%w: it has been cut", ErrDamaged)
		length = uint64(len(content) - headerSize)
	}
	in := bytes.NewReader(content[headerSize:][:length])
	for in.Len() > 0 {
		kind, frame, problem := record.ReadFrame(in)
		if problem == nil {
			problem = parseFrame(left, kind, frame)
		}
		if problem != nil {
			if !errors.Is(problem, queue.ErrNewerFormat) {
				problem = fmt.Errorf("%w: %w", ErrDamaged, problem)
			}
			return left, good, problem
		}
		good = int64(length) - int64(in.Len())
	}
	return left, good, err
}

func appendHeader(b []byte, length int64) []byte {
	begin := len(b)
	b = append(b, magic...)
	b = append(b, fileVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(length))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[begin:], record.Castagnoli))
}

func readHeader(content []byte) (length uint64, err error) {
	if len(content) < headerSize || string(content[:len(magic)]) != magic {
		return 0, fmt.Errorf("%w: it does not begin as it should", ErrDamaged)
	}
	sum := headerSize - crc32.Size
	if crc32.Checksum(content[:sum], record.Castagnoli) != binary.BigEndian.Uint32(content[sum:]) {
		return 0, fmt.Errorf("%w: a checksum is wrong", ErrDamaged)
	}
	if version := content[len(magic)]; version > fileVersion {
		return 0, fmt.Errorf("%w: version %d, this one knows %d", queue.ErrNewerFormat, version, fileVersion)
	}
	return binary.BigEndian.Uint64(content[len(magic)+1:]), nil
}

// room reports whether so many more bytes are within a limit. The caller keeps
// others from appending.
func (f *file) room(more int, limit int64) bool {
	return f.given+int64(more) <= limit
}

// append queues a frame for writing. The caller keeps others from appending.
func (f *file) append(frame []byte) *diskwriter.Write {
	f.given += int64(len(frame))
	return f.writer.Put(frame)
}

func (f *file) wait(ctx context.Context, written *diskwriter.Write) error {
	return f.writer.Wait(ctx, written)
}

// write appends frames durably. After an error it writes nothing more, as nobody
// knows what the disk has.
func (f *file) write(frames []byte) error {
	if f.broken != nil {
		return f.broken
	}
	_, err := f.f.WriteAt(frames, int64(headerSize)+f.size)
	if err == nil {
		err = f.acknowledge(f.size + int64(len(frames)))
	}
	if err != nil {
		f.broken = fmt.Errorf("%s: %w", queue.JournalFile, err)
	}
	return f.broken
}

// acknowledge writes the header.
func (f *file) acknowledge(size int64) error {
	if _, err := f.f.WriteAt(appendHeader(nil, size), 0); err != nil {
		return err
	}
	f.size = size
	if !f.sync {
		return nil
	}
	return f.f.Sync()
}

// empty gives the room back. Nobody may append any more.
func (f *file) empty(ctx context.Context) error {
	// The queue has what was written, whatever came of the writes.
	_ = f.writer.Flush(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if f.size == 0 && f.broken == nil {
		return nil
	}
	failpoint.Here("interim.handed")
	if err := f.acknowledge(0); err != nil {
		return err
	}
	return f.f.Truncate(int64(headerSize))
}

// close waits for the writes under way. It is idempotent.
func (f *file) close() error {
	if f.closed.Swap(true) {
		return nil
	}
	_ = f.writer.Flush(context.Background()) // those who wait get the error
	return f.f.Close()
}
