// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"errors"
	"testing"
)

func TestPosition(t *testing.T) {
	one, other := Instance{ID: [16]byte{1, 2, 3, 4, 5}}, Instance{ID: [16]byte{1, 2, 3, 5}}
	p := NewPosition(one, 1_700_000_000_000_000_000)
	// Readers keep it.
	if got, want := p.String(), "AQECAwQXl5z-NioAAA"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if number, ok := p.In(one); !ok || number != 1_700_000_000_000_000_000 {
		t.Errorf("got %d, %v", number, ok)
	}
	if _, ok := p.In(other); ok {
		t.Error("it is of another queue, too")
	}
	var zero Position
	if number, ok := zero.In(other); !ok || number != 0 || NewPosition(one, 0) != zero {
		t.Error("the zero position is not of every queue")
	}
	if !zero.Before(p) || p.Before(p) || p.Before(zero) {
		t.Error("positions are not in order")
	}
	err := error(&ExpiredError{Oldest: p})
	var expired *ExpiredError
	if !errors.Is(err, ErrExpired) || !errors.As(err, &expired) || expired.Oldest != p {
		t.Errorf("got %v", err)
	}
}

func FuzzParsePosition(f *testing.F) {
	f.Add("AQECAwQXl5z-NioAAA")
	f.Add(Position{}.String())
	f.Add("")
	f.Add("AQAAAAEAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePosition(text)
		if err != nil {
			if !errors.Is(err, ErrBadCursor) || p != (Position{}) {
				t.Errorf("got %v, %v", p, err)
			}
			return
		}
		if p.String() != text {
			t.Errorf("%q became %q", text, p.String())
		}
	})
}
