// SPDX-License-Identifier: Apache-2.0

package emitter

import "errors"

var (
	// ErrStopped is returned on applying targets to an emitter that was
	// stopped.
	ErrStopped = errors.New("the emitter was stopped")
	// ErrBadTarget is returned for a target that nothing could be sent to.
	ErrBadTarget = errors.New("not a usable target")
)

// errBrokenAnswer tells failures after the answer's headers from those before.
var errBrokenAnswer = errors.New("the answer was not complete")
