// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"os"
	"path/filepath"
)

// removeEmptyLogs removes empty logs. Badger deletes a log by truncating it
// first, and a new log is empty, too; if the process is killed in between,
// Badger takes the old log for a new one and does not open. The caller holds
// the directory's lock: the logs of an open queue may be empty for a moment.
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
