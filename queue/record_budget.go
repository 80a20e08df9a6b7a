// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits of the unresolved records of one resource that clients alone can cause.
const (
	// recordBurst is how many are kept one by one: as many as an operator reads.
	recordBurst = 100
	// recordEvery is how often one is kept after that, in the name of all others.
	recordEvery = time.Minute
)

// RecordBudget limits how many unresolved records clients can cause who break
// their requests off, or whose requests the API fails. All are counted in
// metrics; of those that come too fast, one a minute is kept, and says how many it
// stands for.
type RecordBudget struct {
	mu      sync.Mutex
	limiter *rate.Limiter
	skipped int
}

// NewRecordBudget returns the budget of one resource.
func NewRecordBudget() *RecordBudget {
	return &RecordBudget{limiter: rate.NewLimiter(rate.Every(recordEvery), recordBurst)}
}

// Spend returns the reason to record, or "" if no record is to be kept.
func (b *RecordBudget) Spend(reason string, now time.Time) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.limiter.AllowN(now, 1) {
		b.skipped++
		return ""
	}
	if b.skipped > 0 {
		reason = fmt.Sprintf("%s (and %d more like it before, which have no record of their own)", reason, b.skipped)
		b.skipped = 0
	}
	return reason
}
