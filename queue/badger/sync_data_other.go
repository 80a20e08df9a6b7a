// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package badger

import "os"

// syncData makes a file's content durable. What was written through a memory
// map is part of it.
func syncData(f *os.File) error { return f.Sync() }
