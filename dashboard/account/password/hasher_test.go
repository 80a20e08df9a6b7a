// SPDX-License-Identifier: Apache-2.0

package password

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// cheap are parameters for tests.
var cheap = Params{Memory: 64, Time: 1, Threads: 1}

func TestHash(t *testing.T) {
	h := NewHasher(cheap)
	hash, err := h.Hash(t.Context(), "correct horse battery")
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=64,t=1,p=1$") || strings.Contains(hash, "horse") {
		t.Fatalf("%q, %v", hash, err)
	}
	if again, err := h.Hash(t.Context(), "correct horse battery"); err != nil || again == hash {
		t.Errorf("the same password has the same hash twice: %v", err)
	}
	for _, test := range []struct {
		hash, password string
		ok             bool
	}{
		{hash, "correct horse battery", true},
		{hash, "correct horse batterz", false},
		{hash, "", false},
		{"", "correct horse battery", false},
		{"", "", false},
	} {
		if ok, stale, err := h.Matches(t.Context(), test.hash, test.password); ok != test.ok || stale || err != nil {
			t.Errorf("%q: %t, %t, %v", test.password, ok, stale, err)
		}
	}
}

// Hashes of other parameters go on matching, and are to be made anew.
func TestStaleHash(t *testing.T) {
	hash, err := NewHasher(Params{Memory: 32, Time: 2, Threads: 1}).Hash(t.Context(), "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	if ok, stale, err := NewHasher(cheap).Matches(t.Context(), hash, "correct horse battery"); !ok || !stale || err != nil {
		t.Errorf("%t, %t, %v", ok, stale, err)
	}
}

// A hash that was made once matches for ever; this one has the parameters that are recommended.
func TestGoldenHash(t *testing.T) {
	const golden = "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$69I7qCjDTsQwhQqFvpQJiqEI0lGQvxC84fXE0Ktxca4"
	h := NewHasher(Recommended)
	if ok, stale, err := h.Matches(t.Context(), golden, "correct horse battery"); !ok || stale || err != nil {
		t.Errorf("%t, %t, %v", ok, stale, err)
	}
}

func TestMalformedHashes(t *testing.T) {
	h := NewHasher(cheap)
	good, err := h.Hash(t.Context(), "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	for _, hash := range []string{
		"x", "$argon2i$v=19$m=64,t=1,p=1$AAAA$AAAA", good[:len(good)-4], good + "$", strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=64", "m=99999999", 1), strings.Replace(good, "t=1", "t=0", 1), strings.Replace(good, "t=1", "t=17", 1), strings.Replace(good, "p=1", "p=0", 1),
	} {
		if ok, _, err := h.Matches(t.Context(), hash, "correct horse battery"); ok || !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %t, %v", hash, ok, err)
		}
	}
}

// No more hashes are made at once, and no more wait, than there are places: memory is
// limited, whoever asks.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(cheap)
		for range cap(h.turns) {
			h.turns <- struct{}{} // others are at work
			h.places <- struct{}{}
		}
		ctx, cancel := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		for range maxWaiting {
			waiting.Go(func() {
				if _, err := h.Hash(ctx, "correct horse battery"); !errors.Is(err, context.Canceled) {
					t.Errorf("one that waits: %v", err)
				}
			})
		}
		synctest.Wait()
		if _, err := h.Hash(ctx, "correct horse battery"); !errors.Is(err, ErrBusy) {
			t.Errorf("one too many: %v", err)
		}
		cancel()
		waiting.Wait()
		<-h.turns
		<-h.places
		if _, err := h.Hash(t.Context(), "correct horse battery"); err != nil {
			t.Errorf("when there is a turn: %v", err)
		}
	})
}

func TestChoose(t *testing.T) {
	for _, test := range []struct{ password, name, normal, reason string }{
		{"correct horse battery", "mara", "correct horse battery", ""},
		{"Äpfel und Birnen", "mara", "Äpfel und Birnen", ""},
		{"A\u0308pfel und Birnen", "mara", "Äpfel und Birnen", ""},
		{"correct\u00a0horse battery", "mara", "correct horse battery", ""},
		{"短い短い短い言葉短い短い短い", "", "", "different"},
		{"elevenchars", "", "", "at least 12"},
		{"", "", "", "empty"},
		{strings.Repeat("long", 65), "", "", "more than 256"},
		{"aaaaaaaaaaaaaaaa", "", "", "different"},
		{"with\x00control characters", "", "", "no keyboard"},
		{"my name is MARA.kessler", "mara.kessler", "", "username"},
	} {
		normal, err := Choose(test.password, test.name)
		if normal != test.normal || (err == nil) != (test.reason == "") || err != nil && !strings.Contains(err.Error(), test.reason) {
			t.Errorf("%q: %q, %v", test.password, normal, err)
		}
		if err != nil && (!errors.Is(err, ErrUnusable) || len(test.password) > 4 && strings.Contains(err.Error(), test.password)) {
			t.Errorf("%q: %v", test.password, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg")
	f.Fuzz(func(t *testing.T, hash string) {
		params, salt, key, err := decode(hash)
		if err != nil {
			return
		}
		again, saltAgain, keyAgain, err := decode(encode(params, salt, key))
		if err != nil || again != params || string(saltAgain) != string(salt) || string(keyAgain) != string(key) {
			t.Errorf("%q: %v", hash, err)
		}
	})
}
