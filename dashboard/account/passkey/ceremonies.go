// SPDX-License-Identifier: Apache-2.0

package passkey

import (
	"sync"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"
)

const (
	// ceremonyFor is how long somebody may take to touch an authenticator.
	ceremonyFor = 5 * time.Minute
	// maxCeremonies limits those under way, of all users and strangers.
	maxCeremonies = 1000
)

// purpose is what a ceremony is for: an answer to one of another purpose is worth nothing.
type purpose int

const (
	toRegister purpose = iota + 1
	toConfirm          // a second factor of a user who is known
	toLogIn            // alone, before it is known who it is
)

// ceremony is a challenge that was given out, and what has to come back.
type ceremony struct {
	purpose purpose
	// user is whose answer is awaited, "" for anybody's.
	user string
	data webauthn.SessionData
	ends time.Time
}

// ceremonies are those under way, by their challenges. Each is answered once.
type ceremonies struct {
	mu   sync.Mutex
	open map[string]ceremony
}

// put notes a ceremony. If there are too many, the one that ends first is given up: that is
// the one that has waited longest.
func (c *ceremonies) put(at ceremony, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = make(map[string]ceremony)
	}
	if len(c.open) >= maxCeremonies {
		first := ""
		for challenge, other := range c.open {
			switch {
			case !now.Before(other.ends):
				delete(c.open, challenge)
			case first == "" || other.ends.Before(c.open[first].ends):
				first = challenge
			}
		}
		if len(c.open) >= maxCeremonies {
			delete(c.open, first)
		}
	}
	c.open[at.data.Challenge] = at
}

// take returns the ceremony of a challenge, which no other answer gets.
func (c *ceremonies) take(challenge string, wanted purpose, user string, now time.Time) (webauthn.SessionData, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.open[challenge]
	if !ok || at.purpose != wanted || at.user != user {
		return webauthn.SessionData{}, false
	}
	delete(c.open, challenge)
	return at.data, now.Before(at.ends)
}
