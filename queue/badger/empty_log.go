// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"os"
	"path/filepath"
)

// removeEmptyLogs removes logs without a byte in them. Badger deletes a log by
// making it empty first, and begins a new one empty, too; if the process is
// killed in between, Badger finds a file that it takes for a new log where it
// expects an old one, and does not open. The caller holds the directory's lock:
// the logs of a queue that is open may be empty for a moment.
func removeEmptyLogs(dir string) error {
	for _, pattern := range []string{"*.mem", "*.vlog"} {
		logs, err := filepath.Glob(filepath.Join(escapeGlob(dir), pattern))
		if err != nil {
			return err
		}
		for _, name := range logs {
			info, err := os.Stat(name)
			if err == nil && info.Mode().IsRegular() && info.Size() == 0 {
				err = os.Remove(name)
			}
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}
