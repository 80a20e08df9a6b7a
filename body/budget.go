// SPDX-License-Identifier: Apache-2.0

package body

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"
)

// Budget is how much memory the process spends on decoding and parsing bodies at a
// time, in bytes: half of it on requests, which anybody can send, and half on what the
// API answers, so that the one does not stop the other.
const Budget = 64 << 20

// turnTimeout is how long a request waits for its turn.
const turnTimeout = time.Second

// budget is a part of Budget. It is charged before memory is spent, by a pessimistic
// estimate, and given back when the parsing is done.
type budget struct {
	free *semaphore.Weighted
	// wait is how long to wait for a turn; 0 means until it comes. Whoever has a turn
	// is at work and waits for nothing, so that is never long.
	wait time.Duration
}

var (
	ofRequests = &budget{semaphore.NewWeighted(Budget / 2), turnTimeout}
	ofAnswers  = &budget{semaphore.NewWeighted(Budget / 2), 0}
)

// spend does work that costs some memory. It fails with [ErrBusy] if its turn does not
// come.
func (b *budget) spend(cost int64, work func() error) error {
	if cost = min(cost, Budget/2); !b.free.TryAcquire(cost) {
		ctx := context.Background()
		if b.wait > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, b.wait)
			defer cancel()
		}
		if b.free.Acquire(ctx, cost) != nil {
			return ErrBusy
		}
	}
	defer b.free.Release(cost)
	return work()
}

// What the parts of a body cost at most, in bytes. The slices that they stand in grow by
// doubling.
const (
	costOfStep   = 320 // of a form's names
	costOfNode   = 240 // of XML
	costOfCoding = 64 << 10
	// deflateRatio is how far deflate compresses at most.
	deflateRatio = 1032
	windowBrotli = 16 << 20
)

// decodingCost returns what it costs at most to undo an encoding.
func decodingCost(coding string, length int, limit int64) int64 {
	limit = min(limit, MaxSize)
	switch coding {
	case "gzip", "x-gzip", "deflate":
		return costOfCoding + 2*min(limit, deflateRatio*int64(length))
	case "br":
		return windowBrotli + 2*limit
	}
	return MaxSize + 2*limit
}

// parsingCost returns what it costs at most to parse a body. JSON is not copied.
func parsingCost(plain []byte, contentType string) int64 {
	start := firstByte(plain)
	media, _ := mediaType(contentType)
	length := int64(len(plain))
	switch {
	case isLines(media):
		return 2 * length
	case media == mediaForm, media == mediaMultipart:
		return 8*length + costOfStep*int64(maxStepsOf(len(plain)))
	case start == '{' || start == '[':
		return 0
	}
	return 8*length + costOfNode*int64(maxNodesOf(len(plain)))
}

// costOfValue is what each byte of JSON costs at most as values in memory: an empty
// object has two, and a place in a list or map.
const costOfValue = 64

// SpendOnRequest does work that makes values of a request's body, of a length in bytes.
// It fails with [ErrBusy] if there is no room for them in time.
func SpendOnRequest(length int, work func() error) error {
	return ofRequests.spend(costOfValue*int64(length), work)
}

// SpendOnAnswer is SpendOnRequest for an answer, which waits for room.
func SpendOnAnswer(length int, work func() error) error {
	return ofAnswers.spend(costOfValue*int64(length), work)
}
