// SPDX-License-Identifier: Apache-2.0

//go:build darwin || freebsd || linux

package badger

import (
	"os"
	"strconv"
	"syscall"
)

// freeSpace asks the file system.
func freeSpace(dir string) (free, total uint64, err error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return 0, 0, err
	}
	block := uint64(stat.Bsize)
	//nolint:unconvert // the types differ between systems
	return uint64(max(stat.Bavail, 0)) * block, uint64(stat.Blocks) * block, nil
}

// blocks returns how much a file takes of the disk, which is less than its size
// where it has holes.
func blocks(info os.FileInfo) int64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Blocks * 512
	}
	return info.Size()
}

// readOnly reports whether a volume is known to take no writes.
func readOnly(dir string) bool {
	const flag = 1 // ST_RDONLY, MNT_RDONLY
	var stat syscall.Statfs_t
	err := syscall.Statfs(dir, &stat)
	return err == nil && stat.Flags&flag != 0
}

// volume names the volume that a file is on.
func volume(info os.FileInfo) string {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		//nolint:unconvert // the types differ between systems
		return strconv.FormatUint(uint64(stat.Dev), 10)
	}
	return "?"
}

// deleted reports whether an open file has no name any more.
func deleted(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink == 0
}
