// SPDX-License-Identifier: Apache-2.0

package transparent

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// run is one exchange through one site. The client and the API report their
// progress to it, and wait in it for each other: so a test knows that a piece
// has arrived before the next is sent.
type run struct {
	id     string
	script func(*exchange)

	mu       sync.Mutex
	moved    chan struct{} // closed and replaced at each step
	position position
	observed []string // what the API saw
	stuck    []string
}

// position is the progress of both.
type position struct {
	informed  int  // 1xx responses that the client has
	answered  bool // the client has the header
	received  int  // bytes of the body that the client has
	gone      bool // the client has hung up
	asked     bool // the API has the request's header
	uploaded  int  // bytes of the request's body that the API has
	finished  bool // the API has ended
	permitted bool // the client may go on
}

func newRun(id string, script func(*exchange)) *run {
	return &run{id: id, script: script, moved: make(chan struct{})}
}

// move changes the position.
func (r *run) move(change func(*position)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.position)
	close(r.moved)
	r.moved = make(chan struct{})
}

// await waits until the position is reached. It returns false, and records what
// it waited for, if that does not happen.
func (r *run) await(what string, reached func(position) bool) bool {
	timeout := time.NewTimer(testTimeout)
	defer timeout.Stop()
	for {
		r.mu.Lock()
		done, moved, at := reached(r.position), r.moved, r.position
		r.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-moved:
		case <-timeout.C:
			r.mu.Lock()
			r.stuck = append(r.stuck, fmt.Sprintf("%s, at %+v", what, at))
			r.mu.Unlock()
			return false
		}
	}
}

// observe records what the API saw.
func (r *run) observe(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.observed = append(r.observed, fmt.Sprintf(format, args...))
}

// account returns what the API saw, and what was waited for in vain.
func (r *run) account() (observed, stuck string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.observed, "\n"), strings.Join(r.stuck, "\n")
}
