// SPDX-License-Identifier: Apache-2.0

package badger

import "time"

// maxLinger bounds what waiting for others adds to an acknowledgement.
const maxLinger = 500 * time.Microsecond

// minUnderWay is from how many exchanges under way on others are likely to come
// while a sync lasts.
const minUnderWay = 4

// linger returns how long a batch that is about to be synced waits for others
// to share the sync, given how many operations shared the last one, how long
// that took, and how many intents are open: exchanges that will be back. A sync
// costs as much processor time as several operations: under load, waiting for
// about as long as one takes halves their number. Where nobody shared the last
// one, or nobody is on the way, there is nobody to wait for.
func linger(shared, underWay int, took time.Duration) time.Duration {
	if shared < 2 || underWay < minUnderWay {
		return 0
	}
	return min(took, maxLinger)
}
