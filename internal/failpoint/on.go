// SPDX-License-Identifier: Apache-2.0

//go:build failpoints

package failpoint

import (
	"os"
	"strings"
	"sync/atomic"
	"time"
)

var (
	name, passage = parse(os.Getenv(Variable))
	passed        atomic.Uint64

	held, until, _ = strings.Cut(os.Getenv(Hold), "=")
)

// Here kills the process if the environment names this point and this passage
// of it. If the environment names this point to wait at, it waits.
func Here(point string) {
	if held != "" && point == held {
		wait()
	}
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
	// The signal is on its way; nothing more may happen here until it arrives.
	select {}
}

// wait waits until the file is gone. Another process removes it.
func wait() {
	for {
		if _, err := os.Stat(until); err != nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}
