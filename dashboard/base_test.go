// SPDX-License-Identifier: Apache-2.0

package dashboard_test

import (
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard"
)

func TestIsBack(t *testing.T) {
	for path, want := range map[string]bool{
		"/": true, "/webhooks/ep_1?done=saved": true, "/a%20b": true, "": false, "//evil.example": false, "///evil.example": false, `/\evil.example`: false, "https://evil.example": false, "evil": false,
		"/\t/evil.example": false, "/a\r\nb": false, "/%zz": false, "javascript:alert(1)": false, "/webhooks/https://x": true,
	} {
		if got := dashboard.IsBack(path); got != want {
			t.Errorf("%q: %v", path, got)
		}
	}
}
