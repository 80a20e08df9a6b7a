// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package store

import (
	"os"
	"path/filepath"
)

// lockDirectory opens the file that is locked where the system can.
func lockDirectory(dir string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, "LOCK"), os.O_RDWR|os.O_CREATE, 0o600)
}
