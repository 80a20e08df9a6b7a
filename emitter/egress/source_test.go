// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"fmt"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// fromAll returns a policy with source addresses.
func fromAll(addresses ...string) Policy {
	policy := forTrying()
	for _, address := range addresses {
		policy.From = append(policy.From, netip.MustParseAddr(address))
	}
	return policy
}

// Deliveries of an endpoint come from one of several addresses, whatever their order and
// whichever TLS settings it has, and all addresses are used.
func TestSources(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has more than one address on loopback")
	}
	var from atomic.Value
	there := newReceiver(t, anyPort("127.0.0.1"), func(_ http.ResponseWriter, r *http.Request) { from.Store(r.RemoteAddr) })
	addresses := []string{"127.0.0.5", "127.0.0.6", "127.0.0.7"}
	a := newTransport(t, fromAll(addresses...), Options{})
	slices.Reverse(addresses)
	b := newTransport(t, fromAll(append(addresses, "::ffff:127.0.0.5")...), Options{})
	used := make(map[string]bool)
	for n := range 20 {
		name, seen := fmt.Sprintf("ep_%d", n), ""
		for _, transport := range []*Transport{a, b, a} {
			if code, err := post(t, transport.For(name), there.URL); code != http.StatusOK || err != nil {
				t.Fatalf("got %d, %v", code, err)
			}
			got, _, _ := strings.Cut(from.Load().(string), ":")
			if seen != "" && got != seen {
				t.Errorf("%s comes from %s, and from %s", name, seen, got)
			}
			seen = got
		}
		used[seen] = true
	}
	if len(used) != 3 || len(b.others) != 2 {
		t.Errorf("%v are used, of %d", used, len(b.others)+1)
	}
	for _, source := range append([]*Transport{a}, a.others...) {
		if source.For("x") == nil || source.from == (netip.Addr{}) {
			t.Errorf("a source is %v", source.from)
		}
	}
}

// An address more takes over some endpoints, and leaves all others where they are.
func TestOneSourceMore(t *testing.T) {
	before := newTransport(t, fromAll("127.0.0.5", "127.0.0.6"), Options{})
	after := newTransport(t, fromAll("127.0.0.5", "127.0.0.6", "127.0.0.7"), Options{})
	moved := 0
	for n := range 300 {
		name := fmt.Sprintf("ep_%d", n)
		if was, is := before.For(name).from, after.For(name).from; was != is {
			moved++
			if is != netip.MustParseAddr("127.0.0.7") {
				t.Errorf("%s moves from %s to %s", name, was, is)
			}
		}
	}
	if moved < 50 || moved > 150 {
		t.Errorf("%d of 300 move", moved)
	}
	alone := newTransport(t, forTrying(), Options{})
	if alone.For("x") != alone {
		t.Error("without a source there is another transport")
	}
}
