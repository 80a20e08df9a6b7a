// SPDX-License-Identifier: Apache-2.0

//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package badger

import (
	"os"
	"syscall"
)

// mapFile maps a file into memory for reading, without the memory of a copy. Reading
// what the disk cannot read faults, see guarded. The content is gone after unmap.
func mapFile(name string) (data []byte, info os.FileInfo, unmap func(), err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, nil, err
	}
	defer func() { _ = f.Close() }()
	info, err = f.Stat()
	if err != nil || info.Size() == 0 {
		return nil, info, func() {}, err
	}
	data, err = syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, nil, nil, os.NewSyscallError("mmap", err)
	}
	return data, info, func() { _ = syscall.Munmap(data) }, nil
}
