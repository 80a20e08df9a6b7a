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

// The file, [queue.JournalFile]:
//
//	header: "CWQI" | version 1 byte | length 8 bytes | CRC-32C of all before 4 bytes
//	frames, as many as the length says, in bytes
//
// The header is written in place, after the frames and before anybody is told
// that they are there. So what is behind the length was never acknowledged, as
// what a crash has left half written; what is damaged before it was.
const (
	interimMagic   = "CWQI"
	interimVersion = 1
	interimHeader  = len(interimMagic) + 1 + 8 + crc32.Size
)

// interimFile appends to the file. What is appended at the same time shares a
// sync.
type interimFile struct {
	f      interimDisk
	writer *diskwriter.Writer
	sync   bool
	// given is how long the file is with all that it was given.
	given int64

	// size is how long it is, and broken why it takes nothing more. Both belong
	// to the writer.
	size   int64
	broken error
	closed atomic.Bool
}

// interimDisk is what is needed of the file. Tests lose what is not synced.
type interimDisk interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
}

// dataFile is a file whose times need not be durable.
type dataFile struct{ *os.File }

func (f dataFile) Sync() error { return disk.SyncData(f.File) }

// openInterimFile opens the file, and reads it. Where there is an error and a
// file, it can be used all the same.
func openInterimFile(dir string, durability queue.Durability) (*interimFile, map[queue.IntentID]*interimIntent, error) {
	name := filepath.Join(dir, queue.JournalFile)
	_, err := os.Stat(name)
	isNew := errors.Is(err, os.ErrNotExist)
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, nil, err
	}
	file := newInterimFile(dataFile{f}, durability)
	if isNew {
		if err := errors.Join(file.acknowledge(0), disk.SyncDir(dir)); err != nil {
			return nil, nil, errors.Join(err, f.Close())
		}
		return file, nil, nil
	}
	left, err := file.read()
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
		if !errors.Is(err, ErrDamaged) && !errors.Is(err, queue.ErrNewerFormat) {
			return nil, nil, errors.Join(err, f.Close())
		}
	}
	return file, left, err
}

func newInterimFile(f interimDisk, durability queue.Durability) *interimFile {
	file := &interimFile{f: f, sync: durability == queue.Power}
	file.writer = diskwriter.New(file.write, func(waiting, content []byte) []byte { return append(waiting, content...) }, interimPatience)
	return file
}

// read reads what is there, and has what comes written behind what is good.
func (f *interimFile) read() (map[queue.IntentID]*interimIntent, error) {
	content, err := io.ReadAll(io.NewSectionReader(f.f, 0, maxInterimBytes+record.MaxFrame))
	if err != nil {
		return nil, err
	}
	left, good, err := readInterim(content)
	f.size, f.given = good, good
	return left, err
}

// Check reports what is wrong with the file of a directory. There may be none.
func Check(dir string) error {
	content, err := os.ReadFile(filepath.Join(dir, queue.JournalFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		_, _, err = readInterim(content)
	}
	return err
}

// readInterim reads the content of the file, and tells how many bytes of frames
// are good.
func readInterim(content []byte) (left map[queue.IntentID]*interimIntent, good int64, err error) {
	left = make(map[queue.IntentID]*interimIntent)
	length, err := readInterimHeader(content)
	if err != nil {
		return left, 0, err
	}
	if length > uint64(len(content)-interimHeader) {
		err = fmt.Errorf("%w: it has been cut", ErrDamaged)
		length = uint64(len(content) - interimHeader)
	}
	in := bytes.NewReader(content[interimHeader:][:length])
	for in.Len() > 0 {
		kind, frame, problem := record.ReadFrame(in)
		if problem == nil {
			problem = parseInterim(left, kind, frame)
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

func appendInterimHeader(b []byte, length int64) []byte {
	begin := len(b)
	b = append(b, interimMagic...)
	b = append(b, interimVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(length))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[begin:], record.Castagnoli))
}

func readInterimHeader(content []byte) (length uint64, err error) {
	if len(content) < interimHeader || string(content[:len(interimMagic)]) != interimMagic {
		return 0, fmt.Errorf("%w: it does not begin as it should", ErrDamaged)
	}
	sum := interimHeader - crc32.Size
	if crc32.Checksum(content[:sum], record.Castagnoli) != binary.BigEndian.Uint32(content[sum:]) {
		return 0, fmt.Errorf("%w: a checksum is wrong", ErrDamaged)
	}
	if version := content[len(interimMagic)]; version > interimVersion {
		return 0, fmt.Errorf("%w: version %d, this one knows %d", queue.ErrNewerFormat, version, interimVersion)
	}
	return binary.BigEndian.Uint64(content[len(interimMagic)+1:]), nil
}

// room tells whether so much more leaves it within a bound. The caller keeps
// others from appending.
func (f *interimFile) room(more int, bound int64) bool {
	return f.given+int64(more) <= bound
}

// append has a frame written. The caller keeps others from appending.
func (f *interimFile) append(frame []byte) *diskwriter.Write {
	f.given += int64(len(frame))
	return f.writer.Put(frame)
}

func (f *interimFile) wait(ctx context.Context, written *diskwriter.Write) error {
	return f.writer.Wait(ctx, written)
}

// write appends frames durably. After an error nothing more is appended: nobody
// knows what the disk has.
func (f *interimFile) write(frames []byte) error {
	if f.broken != nil {
		return f.broken
	}
	_, err := f.f.WriteAt(frames, int64(interimHeader)+f.size)
	if err == nil {
		err = f.acknowledge(f.size + int64(len(frames)))
	}
	if err != nil {
		f.broken = fmt.Errorf("%s: %w", queue.JournalFile, err)
	}
	return f.broken
}

// acknowledge writes the header.
func (f *interimFile) acknowledge(size int64) error {
	if _, err := f.f.WriteAt(appendInterimHeader(nil, size), 0); err != nil {
		return err
	}
	f.size = size
	if !f.sync {
		return nil
	}
	return f.f.Sync()
}

// empty gives the room back. Nobody may append any more.
func (f *interimFile) empty(ctx context.Context) error {
	// What was written is in the queue, whatever came of that.
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
	return f.f.Truncate(int64(interimHeader))
}

// close waits for what is being written. It is idempotent.
func (f *interimFile) close() error {
	if f.closed.Swap(true) {
		return nil
	}
	_ = f.writer.Flush(context.Background()) // whoever waits for it is told
	return f.f.Close()
}
