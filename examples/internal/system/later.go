// SPDX-License-Identifier: Apache-2.0

package system

import "sync"

// Later holds what is to happen inside an API until a test says so. The zero value
// holds nothing.
type Later struct {
	mu   sync.Mutex
	held []func()
}

// Hold holds something.
func (l *Later) Hold(what func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = append(l.held, what)
}

// Happen lets happen what is held, and not what comes of it.
func (l *Later) Happen() {
	l.mu.Lock()
	held := l.held
	l.held = nil
	l.mu.Unlock()
	for _, what := range held {
		what()
	}
}
