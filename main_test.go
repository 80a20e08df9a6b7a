// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"os"
	"testing"
	"time"
)

// testTimeout is how long a test waits for what must come, on the slowest of
// machines.
const testTimeout = 2 * time.Minute

func TestMain(m *testing.M) {
	// A slow machine must not have exchanges pass that a test wants noted.
	environment.OpenTimeout, environment.DiskTimeout = time.Minute, time.Minute
	os.Exit(m.Run())
}
