// SPDX-License-Identifier: Apache-2.0

package hop

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var (
	key = NewKey([]byte("secret"))
	now = time.Unix(1_700_000_000, 0)
)

// TestLoopIsBroken sends each event of an endpoint back as a request.
func TestLoopIsBroken(t *testing.T) {
	chain := ""
	sent := 0
	for ; !key.Broken(chain, "loop", ""); sent++ {
		if sent > MaxHops {
			t.Fatal("the loop goes on")
		}
		var ok bool
		if chain, ok = key.Verify(key.Sign(chain, "loop", "", now), now); !ok {
			t.Fatal("our own header is not accepted")
		}
	}
	if sent != MaxHops {
		t.Errorf("%d deliveries were sent", sent)
	}
	if key.Broken(chain, "other", "") {
		t.Error("an endpoint that is not in the loop does not get the event")
	}
}

// TestLoopOfTwoIsBroken counts all deliveries of two endpoints that both lead
// back and get each other's events.
func TestLoopOfTwoIsBroken(t *testing.T) {
	sent := 0
	var send func(chain string)
	send = func(chain string) {
		for _, endpoint := range []string{"a", "b"} {
			if key.Broken(chain, endpoint, "") {
				continue
			}
			sent++
			if sent > 1<<12 {
				t.Fatal("the loop goes on")
			}
			next, _ := key.Verify(key.Sign(chain, endpoint, "", now), now)
			send(next)
		}
	}
	send("")
	if sent != 1<<9-2 && sent > 1<<10 {
		t.Errorf("%d deliveries", sent)
	}
}

// TestManyEndpointsAreBroken sends a chain through ever new endpoints.
func TestManyEndpointsAreBroken(t *testing.T) {
	chain := ""
	for i := range maxEndpoints {
		if key.Broken(chain, "new", "") {
			t.Fatalf("broken after %d endpoints", i)
		}
		header := key.Sign(chain, fmt.Sprintf("e%d", i), "", now)
		if len(header) > maxLength+64 {
			t.Fatalf("the header has %d bytes", len(header))
		}
		chain, _ = key.Verify(header, now)
	}
	if !key.Broken(chain, "new", "") {
		t.Error("the loop goes on")
	}
}

func TestVerifyRefuses(t *testing.T) {
	header := key.Sign("", "erp", "", now)
	for name, wrong := range map[string]string{
		"nothing":           "",
		"no signature":      header[:strings.LastIndexByte(header, ';')],
		"a higher count":    strings.Replace(header, ":1;", ":9;", 1),
		"another time":      strings.Replace(header, "1700000000", "1700000001", 1),
		"another's":         NewKey([]byte("other")).Sign("", "erp", "", now),
		"a half":            header[:len(header)/2],
		"much":              strings.Repeat("a", 1<<16),
		"an empty sequence": ";;",
	} {
		if chain, ok := key.Verify(wrong, now); ok {
			t.Errorf("%s: accepted: %q", name, chain)
		}
	}
	for age, want := range map[time.Duration]bool{
		0: true, maxAge: true, maxAge + time.Second: false, -maxSkew: true, -maxSkew - time.Second: false,
	} {
		if _, ok := key.Verify(header, now.Add(age)); ok != want {
			t.Errorf("%s old: %t", age, ok)
		}
	}
	if strings.Contains(header, "erp") {
		t.Error("the header shows the endpoint's name")
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(key.Sign("", "erp", "", now))
	f.Add(";;")
	f.Add("aaaaaaaaaaaa:1;1700000000;AAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, header string) {
		chain, ok := key.Verify(header, now)
		if ok && !strings.HasPrefix(header, chain) {
			t.Errorf("%q: %q", header, chain)
		}
		key.Broken(header, "erp", "")
		if signed := key.Sign(header, "erp", "", now); len(signed) > maxLength+64 {
			t.Errorf("%q makes %d bytes", header, len(signed))
		}
	})
}

// Receivers that requests have named are in the chain each by itself. However many
// there are, they hide a change neither from each other nor from an endpoint, and
// endpoints that lead back are still found.
func TestNamedReceivers(t *testing.T) {
	chain := ""
	for i := range 100 {
		header := key.Sign(chain, "notify.items", fmt.Sprintf("r%d", i), now)
		if len(header) > maxLength+64 {
			t.Fatalf("the header has %d bytes", len(header))
		}
		chain, _ = key.Verify(header, now)
	}
	for _, c := range []struct {
		endpoint, receiver string
		want               bool
	}{
		{"notify.items", "another", false},
		{"notify.items", "r99", true},
		{"notify.users", "r99", false},
		{"erp", "", false},
	} {
		if got := key.Broken(chain, c.endpoint, c.receiver); got != c.want {
			t.Errorf("to %s %s: %v", c.endpoint, c.receiver, got)
		}
	}
	for range MaxHops {
		chain, _ = key.Verify(key.Sign(chain, "erp", "", now), now)
	}
	if !key.Broken(chain, "erp", "") || key.Broken(chain, "crm", "") {
		t.Error("a loop through an endpoint is not found among receivers that were named")
	}
}
