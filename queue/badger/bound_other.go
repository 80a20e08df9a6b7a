// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package badger

import (
	"errors"
	"os"
)

// boundName returns the only name of a directory.
func boundName(_ *os.File, dir string) string { return dir }

func rebind(_, _ *os.File) error { return errors.ErrUnsupported }
