// SPDX-License-Identifier: Apache-2.0

package badger

import "sync"

// maxAside limits the memory of the writes that are put aside, in bytes as
// [waiter.need] counts them: some 50,000 exchanges that ended.
const maxAside = 8 << 20

// aside keeps writes that nobody waits for while the committer's queue is full.
// Their callers are exchanges that have ended. If they waited for room, each would
// keep its connection, its buffers and its stack, a hundred times what its write
// takes.
type aside struct {
	mu     sync.Mutex
	writes []write
	bytes  int
	// some has a value while there may be writes.
	some chan struct{}
}

func newAside() *aside { return &aside{some: make(chan struct{}, 1)} }

// put keeps a write, and reports false if there is no room for it.
func (a *aside) put(wr write) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	size := wr.wait().bytes
	if a.bytes+size > maxAside {
		return false
	}
	a.writes = append(a.writes, wr)
	a.bytes += size
	a.tell()
	return true
}

// tell wakes the committer, now or when it is next idle.
func (a *aside) tell() {
	select {
	case a.some <- struct{}{}:
	default:
	}
}

// take returns the oldest write, if there is one.
func (a *aside) take() (wr write, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.writes) == 0 {
		return nil, false
	}
	wr = a.writes[0]
	a.writes[0] = nil
	a.bytes -= wr.wait().bytes
	if a.writes = a.writes[1:]; len(a.writes) == 0 {
		// The array grew with what waited at the worst of times.
		a.writes = nil
	} else {
		// A batch ends before all are taken, and no other write may come.
		a.tell()
	}
	return wr, true
}
