// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// reserveFile holds room on the disk, and nothing else.
const reserveFile = "reserve"

// holdReserve makes the reserve, unless it is there. It never takes the last
// of the free space.
func holdReserve(dir string, space queue.Space, free uint64) error {
	if reserved(dir) >= space.Reserve || free < space.Low+space.Reserve {
		return nil
	}
	name := filepath.Join(dir, reserveFile)
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("making the reserve: %w", err)
	}
	if err := errors.Join(allocate(f, int64(space.Reserve)), f.Close()); err != nil {
		return fmt.Errorf("making the reserve: %w", errors.Join(err, os.Remove(name)))
	}
	return nil
}

// ReleaseReserve gives the reserve's room back to the disk.
func ReleaseReserve(dir string) error {
	err := os.Remove(filepath.Join(dir, reserveFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// reserved returns the size of the reserve.
func reserved(dir string) uint64 {
	info, err := os.Stat(filepath.Join(dir, reserveFile))
	if err != nil {
		return 0
	}
	return uint64(info.Size())
}

// fill writes zeros, where nothing else allocates blocks.
func fill(f *os.File, size int64) error {
	zeros := make([]byte, 1<<20)
	for size > 0 {
		n, err := f.Write(zeros[:min(size, int64(len(zeros)))])
		if err != nil {
			return err
		}
		size -= int64(n)
	}
	return nil
}
