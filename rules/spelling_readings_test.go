// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// allReadings returns what the readers with every combination of habits take a path
// for.
func allReadings(escaped string) []string {
	var all []string
	for decodes := range maxDecodes + 1 {
		for bits := range 1 << 5 {
			all = append(all, reader{
				decodes: decodes, dots: bits&1 != 0, backslashes: bits&2 != 0,
				parameters: bits&4 != 0, ends: bits&8 != 0, nul: bits&16 != 0,
			}.read(escaped))
		}
	}
	return all
}

// Habits that make no difference to a path are left out, and no others.
func TestReadingsAreAll(t *testing.T) {
	parts := rapid.SampledFrom([]string{
		"/", "/", "a", "b", "items", ".", "..", ";", "\\", " ", "%2F", "%2f", "%2e", "%5C", "%3b", "%20", "%00", "%0a", "%25", "%2525", "%252F", "%252e",
		"%c0%af", "%c0%ae", "%25c0%25af", "%u002F", "%u002e", "%EF%BC%8F", "%EF%BC%8E", "%E2%88%95", "%", "%zz",
	})
	rapid.Check(t, func(t *rapid.T) {
		escaped := "/" + strings.Join(rapid.SliceOfN(parts, 1, 9).Draw(t, "parts"), "")
		got := spellings(escaped)
		if len(got) == 1 {
			return
		}
		for _, path := range allReadings(escaped) {
			if !slices.Contains(got, path) {
				t.Fatalf("%q is read as %q by nobody, but only as %q", escaped, path, got)
			}
		}
	})
}

// However odd a path is, the API's traffic does not wait long for it to be read.
func TestReadingsAreLimited(t *testing.T) {
	for _, times := range []int{1, 10, 100, 120} {
		path := strings.Repeat("/%2e%2E%5c;a%2525%00", times)
		decodes, habits := habitsFor(path)
		if work := len(path) * len(spellings(path)); times > 10 && work > 2*(maxDecodes+2)*len(path) {
			t.Errorf("%d bytes with %d decodings and %d habits are read in %d ways", len(path), decodes, len(habits), len(spellings(path)))
		}
	}
}

func BenchmarkSpellings(b *testing.B) {
	for _, length := range []int{20, 200, 2000} {
		path := strings.Repeat("/%2e%2E%5c;a%2525%00", length/20)
		b.Run(strconv.Itoa(length), func(b *testing.B) {
			for range b.N {
				spellings(path)
			}
		})
	}
}
