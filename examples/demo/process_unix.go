// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import "syscall"

// ownGroup keeps a terminal's Ctrl-C from reaching the programs: they are ended
// one after the other, not all at once.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
