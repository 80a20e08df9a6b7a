// SPDX-License-Identifier: Apache-2.0

package account

import (
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/internal/throttle"
)

// How often may be tried. A password is tried from one address as often as people
// mistype theirs; from all addresses more often, so that nobody locks another out from a
// single one. Codes are so short that few tries are possible, see [users.MaxMisses].
const (
	addressEvery     = 3 * time.Second
	addressBurst     = 40
	accountFromEvery = time.Minute
	accountFromBurst = 10
	accountEvery     = 15 * time.Second
	accountBurst     = 100
	codeEvery        = 3 * time.Minute
	codeBurst        = 5
	// What was refused is noted in the audit, of one name and of all, as long as there are
	// not too many: strangers must not fill the queue.
	notedOfEvery = 10 * time.Minute
	notedOfBurst = 5
	notedEvery   = time.Minute
	notedBurst   = 60
)

// limits holds back who tries too often. Whether a name is a user's makes no difference.
type limits struct {
	addresses, accountsFrom, accounts, codes, notedOf, noted *throttle.Buckets
}

func newLimits() *limits {
	return &limits{
		addresses: throttle.New(addressEvery, addressBurst), accountsFrom: throttle.New(accountFromEvery, accountFromBurst),
		accounts: throttle.New(accountEvery, accountBurst), codes: throttle.New(codeEvery, codeBurst),
		notedOf: throttle.New(notedOfEvery, notedOfBurst), noted: throttle.New(notedEvery, notedBurst),
	}
}

// address takes a try from an address, and returns how long to wait, 0 if it may be made.
func (l *limits) address(from string, now time.Time) time.Duration {
	return l.addresses.Take(throttle.Network(from), now)
}

// password takes a try of a password of a name. A try that is held back for where it comes
// from takes nothing of what others have.
func (l *limits) password(name, from string, now time.Time) time.Duration {
	wait := l.address(from, now)
	if wait == 0 {
		wait = l.accountsFrom.Take(accountFrom(name, from), now)
	}
	if wait == 0 {
		wait = l.accounts.Take(name, now)
	}
	return wait
}

// right forgets the tries of a name, as its password was right.
func (l *limits) right(name, from string) {
	l.accountsFrom.Forget(accountFrom(name, from))
	l.accounts.Forget(name)
}

func accountFrom(name, from string) string { return throttle.Network(from) + " " + name }

// code takes a try of a second factor of a user.
func (l *limits) code(user string, now time.Time) time.Duration { return l.codes.Take(user, now) }

// notes reports whether what was refused of a name is noted in the audit.
func (l *limits) notes(name string, now time.Time) bool {
	return l.notedOf.Take(name, now) == 0 && l.noted.Take("", now) == 0
}
