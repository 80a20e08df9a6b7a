// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"maps"
	"os"
	"slices"
	"sync"
	"time"
)

// files are those whose content stands in a configuration. They may be replaced while
// it runs, as secrets are when they are renewed.
type files struct {
	mu sync.Mutex
	// used has each file as it was when it was last read; seen as it was when it was
	// last looked at.
	used, seen map[string]fileState
}

// fileState tells one content of a file from another, without reading it. The zero
// state is that of a file that cannot be looked at.
type fileState struct {
	modified time.Time
	size     int64
}

func newFiles() *files {
	return &files{used: make(map[string]fileState), seen: make(map[string]fileState)}
}

// stateOf looks at a file, wherever links lead.
func stateOf(name string) fileState {
	info, err := os.Stat(name)
	if err != nil {
		return fileState{}
	}
	return fileState{info.ModTime(), info.Size()}
}

// note notes that a file is about to be read. What is written after that is another
// state.
func (f *files) note(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.used[name] = stateOf(name)
}

// none reports whether no file was read.
func (f *files) none() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.used) == 0
}

// changed looks at the files, and returns those that are not as they were when they
// were read. A file that is being written changes from one look to the next, and is
// not among them until it has rested.
func (f *files) changed() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for _, name := range slices.Sorted(maps.Keys(f.used)) {
		now := stateOf(name)
		if now != f.used[name] && now == f.seen[name] {
			names = append(names, name)
		}
		f.seen[name] = now
	}
	return names
}
