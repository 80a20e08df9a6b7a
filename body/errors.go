// SPDX-License-Identifier: Apache-2.0

package body

import "errors"

var (
	// ErrNoStructure is returned for a body in which no path can be followed:
	// it is empty, malformed, or of a kind that this package does not read
	// (HTML, plain text, binary formats).
	ErrNoStructure = errors.New("the body has no structure that a path could be followed in")
	// ErrTooLarge is returned for a body that unfolds to more than [MaxSize],
	// or has more elements or levels than allowed.
	ErrTooLarge = errors.New("the body unfolds to more than is read")
	// ErrBusy is returned for the body of a request while others take all the memory
	// that may be spent on such bodies.
	ErrBusy = errors.New("too many bodies are read at a time")
	// ErrCoding is returned for a Content-Encoding that is unknown, or that
	// lists more encodings than are undone.
	ErrCoding = errors.New("unsupported Content-Encoding")
)
