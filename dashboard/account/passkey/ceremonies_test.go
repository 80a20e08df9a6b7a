// SPDX-License-Identifier: Apache-2.0

package passkey

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"
)

// Who begins ceremonies without end fills no memory, and those that began last go on.
func TestCeremoniesAreBounded(t *testing.T) {
	var c ceremonies
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for i := range 3 * maxCeremonies {
		now = now.Add(time.Millisecond)
		c.put(ceremony{purpose: toLogIn, data: webauthn.SessionData{Challenge: fmt.Sprint(i)}, ends: now.Add(ceremonyFor)}, now)
	}
	if len(c.open) != maxCeremonies {
		t.Errorf("%d are under way", len(c.open))
	}
	if _, ok := c.take(fmt.Sprint(2*maxCeremonies), toLogIn, "", now); !ok {
		t.Error("one that began late was given up")
	}
	now = now.Add(ceremonyFor)
	for i := range 2 {
		c.put(ceremony{purpose: toLogIn, data: webauthn.SessionData{Challenge: fmt.Sprint("later", i)}, ends: now.Add(ceremonyFor)}, now)
	}
	if len(c.open) > maxCeremonies {
		t.Errorf("%d are under way", len(c.open))
	}
}
