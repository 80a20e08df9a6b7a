// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Records begin with a byte that says their version, and are made of unsigned
// varints and of byte strings that follow their length. Each record says in
// its own file which fields stand in which order.

// unixToYear1 is the number of seconds from the zero time to 1970. Counting
// from the zero time makes the zero time two bytes, and times before 1970
// no special case.
const unixToYear1 = 62135596800

func appendText[T ~string | ~[]byte](b []byte, text T) []byte {
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

func appendTime(b []byte, t time.Time) []byte {
	b = binary.AppendUvarint(b, uint64(t.Unix()+unixToYear1))
	return binary.AppendUvarint(b, uint64(t.Nanosecond()))
}

// appendFields encodes a map so that nil and empty stay apart, in an order
// that depends on nothing but the map.
func appendFields(b []byte, fields map[string]json.RawMessage) []byte {
	if fields == nil {
		return binary.AppendUvarint(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(fields))+1)
	paths := make([]string, 0, len(fields))
	for path := range fields {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		b = appendText(b, path)
		b = appendText(b, fields[path])
	}
	return b
}

// reader decodes a record. After the first error all it returns is zero.
type reader struct {
	rest []byte
	err  error
	// version is the record's, for fields that older ones do not have.
	version byte
}

// newReader checks a record's version against the highest that is known.
func newReader(record []byte, version byte) reader {
	switch {
	case len(record) == 0 || record[0] == 0:
		return reader{err: errDamaged}
	case record[0] > version:
		return reader{err: fmt.Errorf("%w: record version %d, this one knows %d", queue.ErrNewerFormat, record[0], version)}
	default:
		return reader{rest: record[1:], version: record[0]}
	}
}

func (r *reader) uint() uint64 {
	if r.err != nil {
		return 0
	}
	value, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.err = errDamaged
		return 0
	}
	r.rest = r.rest[n:]
	return value
}

// count reads the number of things of which each takes at least one byte, so
// that damaged bytes cannot ask for more memory than they have themselves.
func (r *reader) count() int {
	n := r.uint()
	if n > uint64(len(r.rest)) {
		r.err = errDamaged
		return 0
	}
	return int(n)
}

// bytes returns a part of the record itself, nil if it is empty.
func (r *reader) bytes() []byte {
	n := r.count()
	if r.err != nil || n == 0 {
		return nil
	}
	part := r.rest[:n:n]
	r.rest = r.rest[n:]
	return part
}

func (r *reader) text() string {
	return string(r.bytes())
}

func (r *reader) time() time.Time {
	seconds, nanos := r.uint(), r.uint()
	if r.err != nil || seconds == 0 && nanos == 0 {
		return time.Time{}
	}
	if seconds >= 1<<62 || nanos >= 1e9 {
		r.err = errDamaged
		return time.Time{}
	}
	return time.Unix(int64(seconds)-unixToYear1, int64(nanos)).UTC()
}

func (r *reader) fields() map[string]json.RawMessage {
	n := r.uint()
	if r.err != nil || n == 0 {
		return nil
	}
	// A field takes two bytes at least: two lengths.
	if n-1 > uint64(len(r.rest))/2 {
		r.err = errDamaged
		return nil
	}
	fields := make(map[string]json.RawMessage, n-1)
	for range n - 1 {
		path := r.text()
		fields[path] = r.bytes()
	}
	if r.err != nil {
		return nil
	}
	return fields
}

// end says that the record is read, and returns what went wrong.
func (r *reader) end() error {
	if r.err == nil && len(r.rest) != 0 {
		r.err = errDamaged
	}
	return r.err
}
