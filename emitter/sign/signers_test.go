// SPDX-License-Identifier: Apache-2.0

package sign

import (
	"slices"
	"testing"
	"time"
)

// The keys that signed are known by the beginnings of their fingerprints, whichever scheme
// they signed for.
func TestSigners(t *testing.T) {
	end := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	current, older, own := mustKey(t, "a-key-of-an-endpoint-0123"), mustKey(t, "another-key-0123456789").Until(end), mustKey(t, "a-key-of-a-style-0123")
	style, err := NewXSignature(Style{}, own)
	if err != nil {
		t.Fatal(err)
	}
	message, err := NewMessageSignatures("one")
	if err != nil {
		t.Fatal(err)
	}
	secrets := []Secret{current, older}
	for name, test := range map[string]struct {
		schemes       []Scheme
		before, after []Secret
	}{
		"none":      {nil, nil, nil},
		"standard":  {[]Scheme{Standard{}}, secrets, secrets[:1]},
		"a style":   {[]Scheme{style}, []Secret{own}, []Secret{own}},
		"all, once": {[]Scheme{Standard{}, message, style}, []Secret{current, older, own}, []Secret{current, own}},
	} {
		signers := SignersOf(test.schemes, secrets)
		for at, want := range map[time.Time][]Secret{end.Add(-time.Nanosecond): test.before, end: test.after} {
			var names []string
			for _, key := range want {
				names = append(names, key.Fingerprint()[:4])
			}
			if got := signers.At(at); !slices.Equal(got, names) {
				t.Errorf("%s at %s: %q, want %q", name, at, got, names)
			}
		}
	}
	signers := SignersOf([]Scheme{Standard{}}, secrets[:1])
	if allocs := testing.AllocsPerRun(10, func() { signers.At(end) }); allocs != 0 {
		t.Errorf("%v allocations for each attempt", allocs)
	}
}

// Schemes have one form if they sign alike with the same keys, and no key is in it.
func TestForms(t *testing.T) {
	seen := make(map[string]string)
	add := func(name string, scheme Scheme, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if other, twice := seen[scheme.Form()]; twice {
			t.Errorf("%s and %s have the form %q", name, other, scheme.Form())
		}
		seen[scheme.Form()] = name
	}
	add("standard", Standard{}, nil)
	for _, ids := range [][]string{nil, {"a"}, {"a", "b"}, {"b", "a"}, {"a b"}} {
		scheme, err := NewMessageSignatures(ids...)
		add("message signatures of "+string(rune('0'+len(ids))), scheme, err)
	}
	for _, name := range Presets() {
		scheme, err := NewXSignature(presets[name], mustKey(t, "a-key-of-a-style-0123"))
		add(name, scheme, err)
		same, err := NewXSignature(presets[name], mustKey(t, "another-key-0123456789"))
		if err != nil || same.Form() != scheme.Form() {
			t.Errorf("the form of %s depends on its key: %v", name, err)
		}
	}
}
