// SPDX-License-Identifier: Apache-2.0

// Package disk makes files durable.
package disk

import (
	"errors"
	"os"
)

// SyncDir makes names in a directory durable.
func SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, os.ErrInvalid) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, f.Close())
}
