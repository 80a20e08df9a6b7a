// SPDX-License-Identifier: Apache-2.0

//go:build !darwin && !freebsd && !linux

package badger

import (
	"errors"
	"os"
)

func freeSpace(string) (free, total uint64, err error) {
	return 0, 0, errors.ErrUnsupported
}

func blocks(info os.FileInfo) int64 { return info.Size() }

func readOnly(string) bool { return false }

func volume(os.FileInfo) string { return "?" }

func deleted(*os.File) bool { return false }
