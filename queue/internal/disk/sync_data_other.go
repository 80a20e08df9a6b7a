// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package disk

import "os"

// SyncData makes a file's content durable. What was written through a memory
// map is part of it.
func SyncData(f *os.File) error { return f.Sync() }
