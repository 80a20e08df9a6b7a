// SPDX-License-Identifier: Apache-2.0

package emitter

import "errors"

var (
	// ErrStopped is returned on applying targets to an emitter that was
	// stopped.
	ErrStopped = errors.New("the emitter was stopped")
	// ErrBadTarget is returned for a target that nothing could be sent to.
	ErrBadTarget = errors.New("not a usable target")
	// ErrNoReceiver is returned by [Target.Resolve] for an object without a
	// receiver, or whose receiver wants no more events.
	ErrNoReceiver = errors.New("the object has no receiver")
	// ErrUnknownEndpoint is returned for an endpoint that is not applied.
	ErrUnknownEndpoint = errors.New("there is no endpoint of that name")
	// ErrNotActive is returned for an endpoint that gets nothing.
	ErrNotActive = errors.New("the endpoint gets no deliveries")
)

var (
	// errBrokenAnswer marks failures after the answer's headers, as opposed to
	// those before.
	errBrokenAnswer = errors.New("the answer was not complete")
	// errNoAddress and errPanic are failures on our side.
	errNoAddress = errors.New("the object's receiver could not be looked up")
	errPanic     = errors.New("an error in caddy-webhooks; the log has it")
)
