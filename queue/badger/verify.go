// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"fmt"
	"os"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Verify inspects the files of a queue that no process has open. It fails with
// [queue.ErrInUse] if one has.
func Verify(dir string) (*Inspection, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	lock, ok := lockDir(dir)
	if ok {
		defer func() { _ = lock.Close() }()
	} else if canLock {
		return nil, fmt.Errorf("%w: a process has %s open, and looks at its files itself; verify a backup instead, or stop Caddy", queue.ErrInUse, dir)
	}
	return Inspect(dir)
}

// VerifyBackup reads a backup to its end, and returns its header and its end.
func VerifyBackup(name string) (BackupHeader, BackupEnd, error) {
	var header BackupHeader
	end, err := restoreFile(name, func(h BackupHeader) error {
		header = h
		return nil
	}, func(row) error { return nil })
	if err != nil {
		return header, end, fmt.Errorf("%s: %w", name, err)
	}
	return header, end, nil
}

// Empty reports whether there is no queue in the directory.
func (i *Inspection) Empty() bool { return i.empty }
