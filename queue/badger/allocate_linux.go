// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"os"
	"syscall"
)

// allocate gives a file real blocks for a number of bytes.
func allocate(f *os.File, size int64) error {
	err := syscall.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		return fill(f, size)
	}
	return err
}
