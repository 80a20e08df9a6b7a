// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// noAnswer is the error that a subscriber sees for an attempt without an
// answer.
const noAnswer = "no answer came from the receiver"

// notSent begins the error of a delivery that ends without being sent.
const notSent = "not sent: "

// ForSubscriber returns an attempt as it may be shown to the subscriber, who
// has chosen the URL. It leaves out whatever distinguishes a blocked address
// from a free one, an existing name from a missing one, or an open port from a
// closed one, and also the time it took to find out: with these, a subscriber
// could scan our side of the network. It keeps the receiver's answer, and what
// is wrong with a certificate that the receiver has shown.
func ForSubscriber(attempt queue.Attempt) queue.Attempt {
	if attempt.Code != 0 || attempt.Error == "" || strings.HasPrefix(attempt.Error, certificateWords) || strings.HasPrefix(attempt.Error, notSent) {
		return attempt
	}
	attempt.Error, attempt.Duration = noAnswer, 0
	return attempt
}

// Standing returns how an applied endpoint stands, false for one that is not applied.
// Its reason is the operator's to know, as an attempt's is before [ForSubscriber].
func (e *Emitter) Standing(name string) (Standing, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	d, applied := e.active[name]
	if !applied {
		return Standing{}, false
	}
	return d.standing.in(d.limits, e.options.Now()), true
}
