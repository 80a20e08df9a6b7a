// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"os"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	// A slow machine must not have exchanges pass that a test wants noted.
	environment.OpenTimeout = time.Minute
	os.Exit(m.Run())
}
