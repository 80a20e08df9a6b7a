// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"errors"
	"os"
	"syscall"
)

// SyncData makes a file's content durable, with what is needed to find it, but
// without its times. Writes through a memory map are part of the content.
func SyncData(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if !errors.Is(err, syscall.EINTR) {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
