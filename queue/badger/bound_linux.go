// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"os"
	"strconv"
	"syscall"
)

// boundName returns a name of an open directory that keeps leading to it when it
// is renamed, when its volume is unmounted, and when another directory takes its
// place: Badger must never write into a directory that is not its own, as it
// deletes files there by their names.
func boundName(open *os.File, dir string) string {
	bound := "/proc/self/fd/" + strconv.Itoa(int(open.Fd()))
	info, err := os.Stat(bound)
	if opened, openErr := open.Stat(); err != nil || openErr != nil || !os.SameFile(info, opened) {
		return dir // there is no /proc
	}
	return bound
}

// rebind has the bound name of a directory lead to another one.
func rebind(open, other *os.File) error {
	return syscall.Dup3(int(other.Fd()), int(open.Fd()), syscall.O_CLOEXEC)
}
