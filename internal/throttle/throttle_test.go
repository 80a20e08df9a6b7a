// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"strings"
	"testing"
	"time"
)

func TestBuckets(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	b := New(time.Minute, 2)
	if b.Look("a", now) != 0 || b.Take("a", now) != 0 || b.Take("a", now) != 0 {
		t.Error("a new name has no tokens")
	}
	if got := b.Take("a", now); got != time.Minute {
		t.Errorf("it is to wait for %v", got)
	}
	if got := b.Look("a", now.Add(45*time.Second)); got != 15*time.Second {
		t.Errorf("it is to wait for %v", got)
	}
	if b.Take("b", now) != 0 || b.TakeN("c", 3, now) == 0 || b.Take("c", now) != 0 {
		t.Error("names share tokens, or half of them were taken")
	}
	if b.Take("a", now.Add(time.Minute)) != 0 {
		t.Error("no token comes back")
	}
	b.Forget("a")
	if b.TakeN("a", 2, now) != 0 {
		t.Error("a name was not forgotten")
	}
}

// The memory of limits does not grow with those who ask.
func TestBounded(t *testing.T) {
	b := New(time.Second, 2)
	now := time.Now()
	for i := range 3 * MaxNames {
		b.Take(string(rune(i))+"-"+strings.Repeat("x", i%7), now)
	}
	if len(b.buckets) > MaxNames {
		t.Errorf("%d are known", len(b.buckets))
	}
}

func TestNetwork(t *testing.T) {
	for _, test := range [][2]string{
		{"2001:db8::1", "2001:db8::2"}, {"192.0.2.1", "::ffff:192.0.2.1"}, {"fe80::1%eth0", "fe80::2"},
	} {
		if Network(test[0]) != Network(test[1]) {
			t.Errorf("%s and %s count as two", test[0], test[1])
		}
	}
	if Network("192.0.2.1") == Network("192.0.2.2") || Network("2001:db8::1") == Network("2001:db8:0:1::1") {
		t.Error("two count as one")
	}
}

// Where there are no buckets, nobody is held back.
func TestNoBuckets(t *testing.T) {
	var none *Buckets
	for range 1000 {
		if wait := none.TakeN("anybody", 10, time.Now()) + none.Take("anybody", time.Now()) + none.Look("anybody", time.Now()); wait != 0 {
			t.Fatalf("wait for %s", wait)
		}
	}
	none.Forget("anybody")
}
