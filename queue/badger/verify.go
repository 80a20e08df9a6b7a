// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"fmt"
	"os"
	"strings"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Verify inspects the files of a queue that nobody has open. It fails with
// [queue.ErrInUse] if somebody has.
func Verify(dir string) (*Inspection, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	lock, ok := lockDir(dir)
	if ok {
		defer func() { _ = lock.Close() }()
	} else if canLock {
		return nil, fmt.Errorf("%w: a process has %s open, and looked at all its files when it opened them; verify a backup instead, or stop Caddy", queue.ErrInUse, dir)
	}
	return Inspect(dir)
}

// VerifyBackup reads a backup to its end, and returns what it is.
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

// RestoreEmpty makes an empty queue in a directory whose queue was set aside:
// for who has no backup, and wants nothing of what is kept.
func RestoreEmpty(dir string) error {
	return build(dir, func(options badgerdb.Options) error {
		return with(badgerdb.Open, options, func(*badgerdb.DB) error { return nil })
	}, new(Restored))
}

// DiskUsage returns how much a queue takes of its disk, in bytes: its tables,
// its logs as far as they are written, and all else.
func DiskUsage(dir string) (tables, logs, others int64) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, 0, 0
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		size := blocks(info)
		switch name := entry.Name(); {
		case strings.HasSuffix(name, ".sst"):
			tables += size
		case strings.HasSuffix(name, ".mem"), strings.HasSuffix(name, ".vlog"):
			logs += size
		default:
			others += size
		}
	}
	return tables, logs, others
}
