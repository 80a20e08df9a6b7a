// SPDX-License-Identifier: Apache-2.0

//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package badger

import "os"

// mapFile reads a file.
func mapFile(name string) (data []byte, info os.FileInfo, unmap func(), err error) {
	info, err = os.Stat(name)
	if err == nil {
		data, err = os.ReadFile(name)
	}
	return data, info, func() {}, err
}
