// SPDX-License-Identifier: Apache-2.0

package receiver

import "errors"

var (
	// ErrHeaders is returned for a delivery whose headers are missing or malformed.
	ErrHeaders = errors.New("the headers of a webhook are missing or malformed")
	// ErrTime is returned for a delivery that was not sent just now: it may be an old one
	// that somebody repeats, or a clock is wrong.
	ErrTime = errors.New("the webhook was not sent just now")
	// ErrSignature is returned for a delivery that none of the secrets has signed.
	ErrSignature = errors.New("no signature of the webhook is right")
	// ErrClaims is returned for a delivery whose headers are not those that its
	// webhook-id was made with.
	ErrClaims = errors.New("the webhook's headers are not those that were signed")

	// ErrMoved is returned by [Store.Take] if the object is not where the step begins, or
	// the event was handled: somebody else was faster.
	ErrMoved = errors.New("the object has moved")
	// ErrBusy is returned if too many events wait for their turn. They come again.
	ErrBusy = errors.New("too many events wait for their turn")
	// ErrFeed is returned if what is missing could not be fetched. The event that waited
	// for it comes again.
	ErrFeed = errors.New("what is missing could not be fetched")

	// ErrBase is returned by [Document.Apply] if the payload leads from another state than
	// the one that is held: read the object from its API.
	ErrBase = errors.New("the payload leads from a state that is not held")
	// ErrPatch is returned by [Document.Apply] if the payload does not fit what is held:
	// read the object from its API.
	ErrPatch = errors.New("the payload does not fit what is held")
)
