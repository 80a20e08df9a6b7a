// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// Position is a place in the log of a queue's events, between two of them. The zero
// Position is before all events of any queue. Positions are comparable, and kept by
// readers for as long as they like: no position comes back in its queue, not after a
// restart either, and a queue that was restored is another one.
type Position struct {
	// queue is the beginning of the queue's identity.
	queue  uint32
	number uint64
}

// NewPosition returns the position behind the event of a number. Numbers count a
// queue's events upwards, with gaps. It is for engines.
func NewPosition(of Instance, number uint64) Position {
	if number == 0 {
		return Position{}
	}
	return Position{queue: tag(of), number: number}
}

func tag(of Instance) uint32 { return binary.BigEndian.Uint32(of.ID[:]) }

// In returns the number of a position, and reports whether it may be of a queue. It is
// for engines.
func (p Position) In(of Instance) (number uint64, ok bool) {
	return p.number, p == Position{} || p.queue == tag(of)
}

// Before reports whether a position is before another of the same queue.
func (p Position) Before(other Position) bool { return p.number < other.number }

// positionVersion changes with the layout of a position's text. Readers keep it, so
// earlier versions have to be read.
const positionVersion = 1

// String returns the position as text that is safe in a URL: its version, the queue, and
// the number. It names no tenant, so nobody gains anything by guessing one.
func (p Position) String() string {
	raw := make([]byte, 0, 13)
	raw = append(raw, positionVersion)
	raw = binary.BigEndian.AppendUint32(raw, p.queue)
	raw = binary.BigEndian.AppendUint64(raw, p.number)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// ParsePosition is the inverse of [Position.String]. It fails with [ErrBadCursor].
func ParsePosition(text string) (Position, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != 13 || raw[0] != positionVersion {
		return Position{}, fmt.Errorf("%w: not a position of a feed", ErrBadCursor)
	}
	p := Position{queue: binary.BigEndian.Uint32(raw[1:]), number: binary.BigEndian.Uint64(raw[5:])}
	if p.number == 0 && p.queue != 0 {
		return Position{}, fmt.Errorf("%w: not a position of a feed", ErrBadCursor)
	}
	return p, nil
}

// ExpiredError is returned for a position from which a feed cannot be read without
// missing something.
type ExpiredError struct {
	// Oldest is the first position from which it can.
	Oldest Position
}

// Error implements error.
func (e *ExpiredError) Error() string { return ErrExpired.Error() }

// Unwrap returns [ErrExpired].
func (e *ExpiredError) Unwrap() error { return ErrExpired }
