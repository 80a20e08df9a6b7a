// SPDX-License-Identifier: Apache-2.0

package badger

import "time"

// maxLinger bounds what waiting for others adds to an acknowledgement.
const maxLinger = 500 * time.Microsecond

// linger returns how long a batch that is about to be synced waits for others
// to share the sync, given how many operations shared the last one and how
// long that took. A sync costs as much processor time as several operations:
// under load, waiting for about as long as one takes halves their number.
// Where nobody shared the last one, there is nobody to wait for.
func linger(shared int, took time.Duration) time.Duration {
	if shared < 2 {
		return 0
	}
	return min(took, maxLinger)
}
