// SPDX-License-Identifier: Apache-2.0

package cluster

import "syscall"

// attributes has the server run as somebody, and end with the thread that has started it.
func attributes(as *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGQUIT}
}
