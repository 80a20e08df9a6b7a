// SPDX-License-Identifier: Apache-2.0

//go:build failpoints

package failpoint

import (
	"os"
	"sync/atomic"
)

var (
	name, passage = parse(os.Getenv(Variable))
	passed        atomic.Uint64
)

// Here kills the process if this is the point, and the passage of it, that the
// environment names.
func Here(point string) {
	if name == "" || point != name || passed.Add(1) != passage {
		return
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	// The signal is on its way; nothing more may happen here until it is there.
	select {}
}
