// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"os"
	"sync"
)

// spareCount is how many descriptors are kept for Badger. It needs one for a log,
// and one or two at the same time for a table that it writes.
const spareCount = 8

// spares are descriptors that are held to be given up: when Badger is about to
// open a file, clients may have taken all others.
type spares struct {
	mu   sync.Mutex
	held []*os.File
}

// hold takes the spares that are missing.
func (s *spares) hold(count int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.held) < count {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return err
		}
		s.held = append(s.held, f)
	}
	return nil
}

// give gives spares up until a number of them is left.
func (s *spares) give(left int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.held) > left {
		last := len(s.held) - 1
		_ = s.held[last].Close() // nothing was written to it
		s.held = s.held[:last]
	}
}
