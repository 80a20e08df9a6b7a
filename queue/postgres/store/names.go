// SPDX-License-Identifier: Apache-2.0

package store

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// hashSize is how many bytes name an object, or a tenant: too many for two to meet by
// chance or by design.
const hashSize = 16

// objectOf returns the name of an object in hot tables. Its key may be longer than an
// index takes.
func objectOf(key event.Key) []byte {
	b := binary.AppendUvarint(nil, uint64(len(key.Resource)))
	b = append(append(b, key.Resource...), key.ID...)
	sum := sha256.Sum256(b)
	return sum[:hashSize]
}

// tenantOf returns the name of a tenant's feed.
func tenantOf(tenant string) []byte {
	sum := sha256.Sum256([]byte(tenant))
	return sum[:hashSize]
}

// never is the time of what has none.
const never = math.MinInt64

// nanos returns a time as the tables hold it. Times beyond the range become the nearest
// within, and the zero time is never.
func nanos(t time.Time) int64 {
	switch year := t.Year(); {
	case t.IsZero() || year < 1678:
		return never
	case year > 2261:
		return math.MaxInt64
	default:
		return t.UnixNano()
	}
}

// moment is the inverse of nanos.
func moment(n int64) time.Time {
	if n == never {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// dayOf returns the day in which something is kept, counted from 1970.
func dayOf(t time.Time) int32 {
	const day = 24 * 60 * 60
	seconds := t.Unix()
	return int32((seconds - ((seconds%day)+day)%day) / day)
}
