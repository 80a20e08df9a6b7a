// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// noAnswer is what a subscriber is told of an attempt that no answer came of.
const noAnswer = "no answer came from the receiver"

// notSent begins what stands in the attempt of a delivery that is decided
// without one.
const notSent = "not sent: "

// ForSubscriber returns an attempt as the subscriber may see it, who has chosen
// the URL. What would tell a blocked address from a free one, a name that
// exists from one that does not, or an open port from a closed one is left out,
// with the time that finding it took: with it, our side of the network could be
// scanned. What a receiver has answered, and what is wrong with a certificate
// that it has shown, is kept.
func ForSubscriber(attempt queue.Attempt) queue.Attempt {
	if attempt.Code != 0 || attempt.Error == "" || strings.HasPrefix(attempt.Error, certificateWords) || strings.HasPrefix(attempt.Error, notSent) {
		return attempt
	}
	attempt.Error, attempt.Duration = noAnswer, 0
	return attempt
}
