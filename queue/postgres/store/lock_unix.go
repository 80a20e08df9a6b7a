// SPDX-License-Identifier: Apache-2.0

//go:build unix

package store

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// lockDirectory locks a directory for this process, until the file is closed.
func lockDirectory(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", queue.ErrMisconfigured, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("%w: %s; give each process a directory of its own", queue.ErrInUse, dir)
	}
	return file, nil
}
