// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"context"
	"errors"
	"time"
)

// appliedTimeout limits how long a change waits until deliveries go by it.
const appliedTimeout = 10 * time.Second

// applied waits until deliveries go by a change. Whoever is told that an endpoint has
// other credentials, or another URL, may rely on it: with the next event, the old ones
// are sent nowhere.
func (c *call) applied() error {
	// Who breaks off is told nothing, and the next change waits for this one, too.
	ctx, cancel := context.WithTimeout(c.r.Context(), appliedTimeout)
	defer cancel()
	err := c.options.Applied(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return unavailable.retry(queueRetry, "it is stored, but deliveries do not go by it yet; send the same again")
	}
	return err
}
