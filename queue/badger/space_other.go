// SPDX-License-Identifier: Apache-2.0

//go:build !darwin && !freebsd && !linux

package badger

import "errors"

func freeSpace(string) (free, total uint64, err error) {
	return 0, 0, errors.ErrUnsupported
}
