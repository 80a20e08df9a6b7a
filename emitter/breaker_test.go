// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caddy-webhooks/caddy-webhooks/internal/retryafter"
)

var (
	good      = ruling{delivered: true}
	bad       = ruling{down: true}
	busy      = ruling{down: true, throttled: true}
	disliked  = ruling{}
	epoch     = time.Unix(1_700_000_000, 0)
	plainJump = 0.5
)

// play gives a breaker some attempts, one after another and a second apart, and
// returns it together with the time.
func play(b breaker, concurrency int, now time.Time, rulings ...ruling) (breaker, time.Time) {
	for _, r := range rulings {
		if at := now.Add(b.wait(now)); at.After(now) {
			now = at
		}
		b = b.after(finished{ruling: r, began: now, ended: now.Add(time.Second), jitter: plainJump}, concurrency)
		now = now.Add(time.Second)
	}
	return b, now
}

func TestBreaker(t *testing.T) {
	for _, test := range []struct {
		name    string
		rulings []ruling
		allowed int
		wait    time.Duration
		open    bool
	}{
		{"at first", nil, 64, 0, false},
		{"a few failures", []ruling{bad, bad, bad, bad}, 64, 0, false},
		{"enough failures", []ruling{bad, bad, bad, bad, bad}, 1, time.Second, true},
		{"failures with a success between", []ruling{bad, bad, bad, good, bad, bad, bad, bad}, 64, 0, false},
		{"refusals of single events", []ruling{disliked, disliked, disliked, disliked, disliked, disliked}, 64, 0, false},
		{"a trial that failed", []ruling{bad, bad, bad, bad, bad, bad}, 1, 2 * time.Second, true},
		{"many trials that failed", []ruling{bad, bad, bad, bad, bad, bad, bad, bad, bad, bad, bad, bad, bad, bad}, 1, time.Minute, true},
		{"a trial that succeeded", []ruling{bad, bad, bad, bad, bad, good}, 2, 0, false},
		{"a trial that was refused", []ruling{bad, bad, bad, bad, bad, disliked}, 2, 0, false},
		{"coming back", []ruling{bad, bad, bad, bad, bad, good, good, good}, 4, 0, false},
		{"back", append([]ruling{bad, bad, bad, bad, bad}, slices.Repeat([]ruling{good}, 63)...), 64, 0, false},
		{"falling again", []ruling{bad, bad, bad, bad, bad, good, bad}, 2, 0, false},
		{"throttled", []ruling{busy}, 32, 0, false},
		{"throttled twice", []ruling{busy, busy}, 16, 0, false},
		{"throttled and better", []ruling{busy, busy, good}, 17, 0, false},
		{"throttled for long", []ruling{busy, busy, busy, busy, busy}, 1, time.Second, true},
	} {
		b, now := play(breaker{}, 64, epoch, test.rulings...)
		if b.allowed(64) != test.allowed || b.wait(now) != test.wait || b.open() != test.open {
			t.Errorf("%s: %d allowed, wait %s, open %t", test.name, b.allowed(64), b.wait(now), b.open())
		}
	}
}

func TestBreakerHoldsForTheReceiver(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{
		0: 0, time.Minute: time.Minute, 24 * time.Hour: maxHold, retryafter.Max: maxHold,
	} {
		b := breaker{}.after(finished{ruling: busy, began: epoch, ended: epoch, asked: asked}, 64)
		if got := b.wait(epoch); got != want {
			t.Errorf("asked for a pause of %s: waits %s", asked, got)
		}
		// Attempts that were in flight do not shorten it.
		b = b.after(finished{ruling: good, began: epoch, ended: epoch}, 64)
		if got := b.wait(epoch); got != want {
			t.Errorf("asked for a pause of %s, then an answer: waits %s", asked, got)
		}
	}
}

// TestBreakerCountsWhatIsNew has all of an endpoint's attempts fail together:
// those that began before it was shut off say nothing new.
func TestBreakerCountsWhatIsNew(t *testing.T) {
	var b breaker
	for range 64 {
		b = b.after(finished{ruling: bad, began: epoch, ended: epoch.Add(10 * time.Second), jitter: plainJump}, 64)
	}
	if b.rests != 1 || b.wait(epoch.Add(10*time.Second)) != time.Second {
		t.Errorf("got %+v", b)
	}
}

// TestBreakerStaysInItsBounds checks random attempts against the promises for a
// receiver that is down: it is tried, and is left alone for no longer than
// documented.
func TestBreakerStaysInItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		concurrency := rapid.IntRange(1, 100).Draw(t, "concurrency")
		b, now := breaker{}, epoch
		for range rapid.IntRange(0, 100).Draw(t, "attempts") {
			r := rapid.SampledFrom([]ruling{good, bad, busy, disliked}).Draw(t, "ruling")
			asked := time.Duration(rapid.Int64Range(0, int64(retryafter.Max)).Draw(t, "asked"))
			began := now.Add(-time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "took")))
			b = b.after(finished{ruling: r, began: began, ended: now, asked: asked, jitter: rapid.Float64Range(0, 0.999).Draw(t, "jitter")}, concurrency)
			if n := b.allowed(concurrency); n < 1 || n > concurrency {
				t.Fatalf("%d of %d allowed", n, concurrency)
			}
			if wait := b.wait(now); wait > maxHold || !r.throttled && wait > maxHold {
				t.Fatalf("waits %s", wait)
			}
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*time.Minute)).Draw(t, "later")))
		}
		// When the receiver works, everything is as before.
		for range concurrency {
			now = now.Add(maxHold)
			b = b.after(finished{ruling: good, began: now, ended: now}, concurrency)
		}
		if b.allowed(concurrency) != concurrency || b.wait(now) != 0 || b.open() {
			t.Fatalf("after successes: %+v", b)
		}
	})
}
