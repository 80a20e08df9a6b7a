// SPDX-License-Identifier: Apache-2.0

// Package record encodes the contents of files: the fields of records, the
// frames of files that are read from beginning to end, and the records that
// several kinds of files hold.
package record

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Records begin with a byte for their version, and are made of unsigned varints
// and of byte strings after their length. The order of a record's fields stands
// at the function that encodes it.

// ErrDamaged is returned for bytes that no version of this module has written.
var ErrDamaged = errors.New("damaged record")

// unixToYear1 is the number of seconds from the zero time to 1970. Counting
// from the zero time makes the zero time two bytes, and times before 1970
// no special case.
const unixToYear1 = 62135596800

// AppendText encodes a text, or bytes.
func AppendText[T ~string | ~[]byte](b []byte, text T) []byte {
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

// AppendTime encodes a time.
func AppendTime(b []byte, t time.Time) []byte {
	b = binary.AppendUvarint(b, uint64(t.Unix()+unixToYear1))
	return binary.AppendUvarint(b, uint64(t.Nanosecond()))
}

// AppendFields encodes a map so that nil and empty stay apart, in an order
// that depends on nothing but the map.
func AppendFields(b []byte, fields map[string]json.RawMessage) []byte {
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
		b = AppendText(b, path)
		b = AppendText(b, fields[path])
	}
	return b
}

// Reader decodes a record. After the first error it returns zero values.
type Reader struct {
	// Rest is what is not decoded yet.
	Rest []byte
	// Err is the first error.
	Err error
	// Version is the record's, for fields that older ones do not have.
	Version byte
}

// NewReader checks a record's version against the highest that is known.
func NewReader(record []byte, version byte) Reader {
	switch {
	case len(record) == 0 || record[0] == 0:
		return Reader{Err: ErrDamaged}
	case record[0] > version:
		return Reader{Err: fmt.Errorf("%w: record version %d, this one knows %d", queue.ErrNewerFormat, record[0], version)}
	default:
		return Reader{Rest: record[1:], Version: record[0]}
	}
}

// Uint decodes a number.
func (r *Reader) Uint() uint64 {
	if r.Err != nil {
		return 0
	}
	value, n := binary.Uvarint(r.Rest)
	if n <= 0 {
		r.Err = ErrDamaged
		return 0
	}
	r.Rest = r.Rest[n:]
	return value
}

// Count decodes a number of things of at least one byte each, so that damaged
// bytes cannot ask for more memory than they have themselves.
func (r *Reader) Count() int {
	n := r.Uint()
	if n > uint64(len(r.Rest)) {
		r.Err = ErrDamaged
		return 0
	}
	return int(n)
}

// Bytes returns a part of the record itself, nil if it is empty.
func (r *Reader) Bytes() []byte {
	n := r.Count()
	if r.Err != nil || n == 0 {
		return nil
	}
	part := r.Rest[:n:n]
	r.Rest = r.Rest[n:]
	return part
}

// Text decodes a text.
func (r *Reader) Text() string {
	return string(r.Bytes())
}

// Time decodes a time.
func (r *Reader) Time() time.Time {
	seconds, nanos := r.Uint(), r.Uint()
	if r.Err != nil || seconds == 0 && nanos == 0 {
		return time.Time{}
	}
	if seconds >= 1<<62 || nanos >= 1e9 {
		r.Err = ErrDamaged
		return time.Time{}
	}
	return time.Unix(int64(seconds)-unixToYear1, int64(nanos)).UTC()
}

// Fields decodes a map.
func (r *Reader) Fields() map[string]json.RawMessage {
	n := r.Uint()
	if r.Err != nil || n == 0 {
		return nil
	}
	// A field takes two bytes at least: two lengths.
	if n-1 > uint64(len(r.Rest))/2 {
		r.Err = ErrDamaged
		return nil
	}
	fields := make(map[string]json.RawMessage, n-1)
	for range n - 1 {
		path := r.Text()
		fields[path] = r.Bytes()
	}
	if r.Err != nil {
		return nil
	}
	return fields
}

// End ends the reading of a record, and returns the first error, also for bytes
// that are left.
func (r *Reader) End() error {
	if r.Err == nil && len(r.Rest) != 0 {
		r.Err = ErrDamaged
	}
	return r.Err
}
