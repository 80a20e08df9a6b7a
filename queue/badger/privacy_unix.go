// SPDX-License-Identifier: Apache-2.0

//go:build unix

package badger

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// hasModes is true where files have modes.
const hasModes = true

// restrict takes a file's mode away from others. It does not follow a link that
// somebody has put in the file's place.
func restrict(dir, name string) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		err = f.Chmod(info.Mode().Perm() &^ others)
	}
	return errors.Join(err, f.Close())
}
