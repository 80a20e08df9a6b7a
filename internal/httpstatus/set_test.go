// SPDX-License-Identifier: Apache-2.0

package httpstatus_test

import (
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/internal/httpstatus"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		texts         []string
		match, refuse []int
		named         []int
	}{
		{nil, nil, []int{200, 0}, nil},
		{[]string{"2xx"}, []int{200, 299}, []int{199, 300}, nil},
		{[]string{"200", "302"}, []int{200, 302}, []int{201, 301, 20, 0}, []int{200, 302}},
		{[]string{"2xx", "409"}, []int{204, 409}, []int{404}, []int{409}},
	} {
		set, err := httpstatus.Parse(test.texts...)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range test.match {
			if !set.Match(code) {
				t.Errorf("%q does not match %d", test.texts, code)
			}
		}
		for _, code := range test.refuse {
			if set.Match(code) || set.Named(code) {
				t.Errorf("%q matches %d", test.texts, code)
			}
		}
		for _, code := range test.named {
			if !set.Named(code) {
				t.Errorf("%q does not name %d", test.texts, code)
			}
		}
		if set.IsZero() != (len(test.texts) == 0) {
			t.Errorf("%q: zero is %t", test.texts, set.IsZero())
		}
	}
	for _, text := range []string{"", "1xx", "6xx", "20x", "99", "600", "2XX", "2xx,3xx", "-200", "+200", "0200", "100"} {
		if _, err := httpstatus.Parse(text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}
