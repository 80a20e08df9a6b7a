// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package disk

import "os"

// SyncData makes a file's content durable. Writes through a memory map are part
// of it.
func SyncData(f *os.File) error { return f.Sync() }
