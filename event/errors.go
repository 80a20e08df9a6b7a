// SPDX-License-Identifier: Apache-2.0

package event

import "errors"

// ErrBadKey is returned for a value that cannot be part of an object's key.
var ErrBadKey = errors.New("not an object key")
