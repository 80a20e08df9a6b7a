// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package badger

import "os"

// allocate gives a file real blocks for a number of bytes.
func allocate(f *os.File, size int64) error {
	return fill(f, size)
}
