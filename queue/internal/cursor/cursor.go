// SPDX-License-Identifier: Apache-2.0

// Package cursor encodes places in lists as opaque, URL-safe text.
package cursor

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// List identifies a list, so that another list refuses its cursors.
type List byte

// The lists that are paged.
const (
	Events List = iota + 1
	Deliveries
	Attempts
	Unresolved
	Selection
	Replay
	Records
	Filtered
	TenantEvents
)

// version changes with the layout. Cursors do not outlive a page, so older ones
// are refused.
const version = 1

// Place is the last row of a page.
type Place struct {
	// Position is the event's, or the intent's number.
	Position uint64
	// Endpoint and Number are set where a position has several rows.
	Endpoint string
	Number   uint64
}

// Encode returns the cursor of a place.
func Encode(list List, place Place) queue.Cursor {
	raw := make([]byte, 0, 2+8+binary.MaxVarintLen64+len(place.Endpoint))
	raw = append(raw, version, byte(list))
	raw = binary.BigEndian.AppendUint64(raw, place.Position)
	raw = binary.AppendUvarint(raw, place.Number)
	raw = append(raw, place.Endpoint...)
	return queue.Cursor(base64.RawURLEncoding.EncodeToString(raw))
}

// Decode is the inverse of [Encode]. It reports whether the cursor stands for a
// place, and fails with [queue.ErrBadCursor] if it is not one of the list.
func Decode(list List, c queue.Cursor) (place Place, ok bool, err error) {
	if c == "" {
		return Place{}, false, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(string(c))
	if err != nil || len(raw) < 11 || raw[0] != version || raw[1] != byte(list) {
		return Place{}, false, queue.ErrBadCursor
	}
	number, n := binary.Uvarint(raw[10:])
	if n <= 0 {
		return Place{}, false, queue.ErrBadCursor
	}
	return Place{
		Position: binary.BigEndian.Uint64(raw[2:10]),
		Number:   number,
		Endpoint: string(raw[10+n:]),
	}, true, nil
}

// Limit returns how many rows a page may have.
func Limit(page queue.Page) int {
	switch {
	case page.Limit <= 0:
		return queue.DefaultLimit
	case page.Limit > queue.MaxLimit:
		return queue.MaxLimit
	default:
		return page.Limit
	}
}
