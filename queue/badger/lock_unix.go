// SPDX-License-Identifier: Apache-2.0

//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package badger

import (
	"os"
	"syscall"
)

// canLock is true where lockDir works.
const canLock = true

// lockDir takes the lock that Badger takes on the directory of an open queue,
// until the file is closed in this process and in each that has inherited it.
// It is not ok if the lock is held already.
func lockDir(dir string) (lock *os.File, ok bool) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, false
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, false
	}
	return f, true
}
