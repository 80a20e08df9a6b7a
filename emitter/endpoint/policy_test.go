// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"errors"
	"testing"
	"time"
)

func TestParseStatuses(t *testing.T) {
	for _, test := range []struct {
		texts   []string
		match   []int
		refuse  []int
		written string
	}{
		{nil, []int{200, 204, 299}, []int{199, 300, 410, 500, 0}, "2xx"},
		{[]string{"2xx"}, []int{200, 204, 299}, []int{300}, "2xx"},
		{[]string{"200", "302"}, []int{200, 302}, []int{201, 301, 204}, "200 302"},
		{[]string{"2xx", "409"}, []int{200, 409}, []int{404}, "2xx 409"},
		{[]string{"4xx"}, []int{400, 410}, []int{200}, "4xx"},
	} {
		statuses, err := ParseStatuses(test.texts...)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range test.match {
			if !statuses.Match(code) {
				t.Errorf("%q does not match %d", test.texts, code)
			}
		}
		for _, code := range test.refuse {
			if statuses.Match(code) {
				t.Errorf("%q matches %d", test.texts, code)
			}
		}
		if statuses.String() != test.written {
			t.Errorf("%q is written %q", test.texts, statuses)
		}
	}
	for _, text := range []string{"", "1xx", "6xx", "20x", "99", "600", "2XX", "2xx,3xx", "-200", "100"} {
		if _, err := ParseStatuses(text); !errors.Is(err, ErrBadEndpoint) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestParseRate(t *testing.T) {
	for text, want := range map[string]Rate{
		"10/s": {10, time.Second}, "1/m": {1, time.Minute}, "1000/h": {1000, time.Hour}, "1000000/s": {1000000, time.Second},
	} {
		rate, err := ParseRate(text)
		if err != nil || rate != want || rate.String() != text || !rate.valid() {
			t.Errorf("%s: %v %v", text, rate, err)
		}
	}
	for _, text := range []string{"", "10", "10/", "/s", "0/s", "-1/s", "1.5/s", "10/d", "10/sec", "1000001/s", "10/s/s"} {
		if rate, err := ParseRate(text); !errors.Is(err, ErrBadEndpoint) {
			t.Errorf("%q: %v %v", text, rate, err)
		}
	}
	for _, test := range []struct {
		rate  Rate
		burst int
	}{{Rate{1, time.Second}, 1}, {Rate{10, time.Second}, 1}, {Rate{100, time.Second}, 10}, {Rate{600, time.Minute}, 1}, {Rate{1, time.Hour}, 1}} {
		if got := test.rate.Burst(); got != test.burst {
			t.Errorf("%s: burst %d", test.rate, got)
		}
	}
}

func TestPolicyThatIsRefused(t *testing.T) {
	valid := newEndpoint(t, someSecret(t), "erp")
	for name, change := range map[string]func(*Endpoint){
		"order":                  func(e *Endpoint) { e.Order = "random" },
		"coalesce without order": func(e *Endpoint) { e.Order, e.Coalesce = OrderNone, true },
		"rate":                   func(e *Endpoint) { e.Rate = Rate{Count: 1} },
		"deadline":               func(e *Endpoint) { e.Deadline = -time.Second },
		"when_disabled":          func(e *Endpoint) { e.WhenDisabled = "forget" },
		"disable_after":          func(e *Endpoint) { e.DisableAfter = time.Minute },
	} {
		changed := valid
		change(&changed)
		if err := changed.Validate(); !errors.Is(err, ErrBadEndpoint) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Endpoint){
		"coalesce": func(e *Endpoint) { e.Order, e.Coalesce = OrderEndpoint, true },
		"never":    func(e *Endpoint) { e.DisableAfter = Never },
		"rate":     func(e *Endpoint) { e.Rate = Rate{Count: 1, Per: time.Hour} },
	} {
		changed := valid
		change(&changed)
		if err := changed.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
