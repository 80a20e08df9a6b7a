// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package badger

import "errors"

// makePrivate always fails.
func makePrivate(string) error { return errors.ErrUnsupported }
