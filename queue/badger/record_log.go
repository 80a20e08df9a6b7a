// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

const (
	logVersion  = 1
	spanVersion = 1
)

// eventLogName is the name of the meta record that says where the log of events ends.
const eventLogName = "log"

// eventLogKey is the key of the record.
var eventLogKey = append([]byte{kindMeta}, eventLogName...)

// logState is what is kept of the log of events as a whole.
type logState struct {
	// last is the position of the last event that was committed.
	last uint64
	// removed is the horizon: events up to it may have been removed. Those whose
	// retention has passed since it was written are not counted in it, see [span].
	removed uint64
	// unindexed is the last position at which events may stand that an earlier version
	// has committed, which kept nothing for feeds.
	unindexed uint64
	// unread is true as long as no spans are known of those events.
	unread bool
}

// appendLog encodes: last, removed, unindexed, whether that is unread.
func appendLog(b []byte, l *logState) []byte {
	b = append(b, logVersion)
	b = binary.AppendUvarint(b, l.last)
	b = binary.AppendUvarint(b, l.removed)
	b = binary.AppendUvarint(b, l.unindexed)
	unread := uint64(0)
	if l.unread {
		unread = 1
	}
	return binary.AppendUvarint(b, unread)
}

func parseLog(b []byte) (logState, error) {
	r := record.NewReader(b, logVersion)
	l := logState{last: r.Uint(), removed: r.Uint(), unindexed: r.Uint(), unread: r.Uint() > 0}
	return l, r.End()
}

// span is a part of the log whose events were committed, and expire, at about the same
// time. It goes up to where the next begins.
type span struct {
	// first is the position behind the last event of the span before.
	first uint64
	// made is when the first event was committed, and expires when the first row of an
	// event may be gone, in seconds since 1970.
	made, expires uint64
}

// appendSpan encodes: made, expires. The first position stands in the key.
func appendSpan(b []byte, s *span) []byte {
	b = append(b, spanVersion)
	b = binary.AppendUvarint(b, s.made)
	return binary.AppendUvarint(b, s.expires)
}

func parseSpan(first uint64, b []byte) (span, error) {
	r := record.NewReader(b, spanVersion)
	s := span{first: first, made: r.Uint(), expires: r.Uint()}
	return s, r.End()
}
