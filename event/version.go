// SPDX-License-Identifier: Apache-2.0

package event

import (
	"math/big"
	"time"
)

// CompareVersions compares two versions of an object as their texts mean:
// numbers as numbers of any size, RFC 3339 times as times, also with a space
// in place of the "T" as many databases write them. It returns a
// negative number when a is older, 0 when they are equal and a positive number
// when a is newer; ok is false when the two cannot be compared, and then
// nothing can be said about their order.
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
// time; times without an offset stay out, for they go back once a year.
func moment(s string) (time.Time, error) {
	if day := len(time.DateOnly); len(s) > day && s[day] == ' ' {
		s = s[:day] + "T" + s[day+1:]
	}
	return time.Parse(time.RFC3339Nano, s)
}

// maxVersionDigits bounds what is parsed as a number: an exponent could ask
// for gigabytes of digits.
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
