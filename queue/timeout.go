// SPDX-License-Identifier: Apache-2.0

package queue

import "time"

// Timeout is how long an exchange, or anybody else in whose way the queue stands,
// waits for it. A disk that hangs must not hang the API.
const Timeout = 2 * time.Second
