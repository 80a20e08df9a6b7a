// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/disk"
)

// logSync syncs Badger's logs. It belongs to the committer.
//
// Badger's own Sync does less and costs more: it leaves out logs that Badger
// has left for a new one since, and it syncs the value log, which is always
// empty. That makes the disk flush its cache twice for each batch.
type logSync struct {
	dir string
	// number is that of the first log that may need a sync, and file is that
	// log, once it is open.
	number int
	file   *os.File
}

// newLogSync begins with the log that Badger has made on opening.
func newLogSync(dir string) (*logSync, error) {
	number, err := newestLog(dir)
	return &logSync{dir: dir, number: number}, err
}

// sync syncs the logs from the first that needs it, and the names of new ones.
// A log must not be lost while a later one is there.
func (l *logSync) sync() error {
	for {
		// A log is complete once there is a newer one.
		_, err := os.Stat(logName(l.dir, l.number+1))
		complete := err == nil
		if err := l.syncCurrent(complete); err != nil {
			return fmt.Errorf("syncing a log: %w", err)
		}
		if !complete {
			return nil
		}
		if err := disk.SyncDir(l.dir); err != nil {
			return fmt.Errorf("syncing the name of a log: %w", err)
		}
		_ = l.close()
		l.number++
	}
}

func (l *logSync) syncCurrent(complete bool) error {
	if l.file == nil {
		f, err := os.OpenFile(logName(l.dir, l.number), os.O_RDWR, 0)
		if errors.Is(err, os.ErrNotExist) && complete {
			// It is in a table already, which Badger has synced.
			return nil
		}
		if err != nil {
			return err
		}
		l.file = f
	}
	return disk.SyncData(l.file)
}

func (l *logSync) close() error {
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}

// logName returns Badger's name of a log.
func logName(dir string, number int) string {
	return filepath.Join(dir, fmt.Sprintf("%05d.mem", number))
}

// newestLog returns the number of the newest log.
func newestLog(dir string) (int, error) {
	names, err := logFiles(dir, "*.mem")
	if err != nil {
		return 0, err
	}
	newest := 0
	for _, name := range names {
		number, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(name), ".mem"))
		if err == nil {
			newest = max(newest, number)
		}
	}
	return newest, nil
}
