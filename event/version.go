// SPDX-License-Identifier: Apache-2.0

package event

import (
	"math"
	"math/big"
	"time"
)

// CompareVersions compares two versions of an object by their meaning: numbers
// as numbers of any size, RFC 3339 times as times, also with a space in place
// of the "T" as many databases write them. It returns a negative number if a is
// older, 0 if they are equal and a positive number if a is newer; ok is false
// if the two cannot be compared, and then nothing can be said about their
// order.
func CompareVersions(a, b string) (order int, ok bool) {
	if a == b {
		return 0, a != ""
	}
	if x, y, ok := bothNumbers(a, b); ok {
		return x.Cmp(y), true
	}
	x, err := moment(a)
	if err != nil {
		return 0, false
	}
	y, err := moment(b)
	if err != nil {
		return 0, false
	}
	return x.Compare(y), true
}

// moment reads a time. RFC 3339, section 5.6 allows a space between date and
// time. Times without an offset are refused, for they go back once a year.
func moment(s string) (time.Time, error) {
	if day := len(time.DateOnly); len(s) > day && s[day] == ' ' {
		s = s[:day] + "T" + s[day+1:]
	}
	return time.Parse(time.RFC3339Nano, s)
}

// VersionTime returns the moment that a version names: a time, or a number of
// seconds, milliseconds, microseconds or nanoseconds since 1970. It reports false
// for others, such as a count.
func VersionTime(version string) (time.Time, bool) {
	if at, err := moment(version); err == nil {
		return at, true
	}
	n, ok := number(version)
	if !ok {
		return time.Time{}, false
	}
	seconds, _ := n.Float64()
	for range 4 {
		// From 2001 to 2286.
		if seconds >= 1e9 && seconds < 1e10 {
			whole := math.Floor(seconds)
			return time.Unix(int64(whole), int64((seconds-whole)*1e9)), true
		}
		seconds /= 1000
	}
	return time.Time{}, false
}

// maxVersionDigits limits the length of a number: an exponent could require
// gigabytes of digits.
const maxVersionDigits = 64

func bothNumbers(a, b string) (x, y *big.Rat, ok bool) {
	x, ok = number(a)
	if !ok {
		return nil, nil, false
	}
	y, ok = number(b)
	return x, y, ok
}

func number(s string) (*big.Rat, bool) {
	if len(s) > maxVersionDigits {
		return nil, false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && c != '.' && c != '-' {
			return nil, false
		}
	}
	return new(big.Rat).SetString(s)
}
