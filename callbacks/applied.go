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
	delayed, err := c.delayed()
	if delayed {
		return unavailable.retry(queueRetry, "it is stored, but deliveries do not go by it yet; send the same again")
	}
	return err
}

// appliedOnce is applied for a change that has made a secret, if it has: that is shown this
// once, and a repeat would make another. So the answer is that it is done, though late.
func (c *call) appliedOnce(secret string) (late bool, err error) {
	if secret == "" {
		return false, c.applied()
	}
	late, err = c.delayed()
	return late || err != nil, nil
}

// delayed waits, and reports whether deliveries go by the change later than somebody waits.
func (c *call) delayed() (bool, error) {
	// Who breaks off is told nothing, and the next change waits for this one, too.
	ctx, cancel := context.WithTimeout(c.r.Context(), appliedTimeout)
	defer cancel()
	err := c.options.Applied(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return true, nil
	}
	return false, err
}
