// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// TestNamesOfBlockedAddresses resolves names in every way that is known to
// bypass checks: each is refused, and nothing reaches the address.
func TestNamesOfBlockedAddresses(t *testing.T) {
	inner := newReceiver(t, anyPort("127.0.0.2"), noContent)
	addrs := func(texts ...string) []netip.Addr {
		var parsed []netip.Addr
		for _, text := range texts {
			parsed = append(parsed, netip.MustParseAddr(text))
		}
		return parsed
	}
	for _, test := range []struct {
		name   string
		server *nameServer
		tries  int
	}{
		{"the address itself", &nameServer{answers: [][]netip.Addr{addrs("127.0.0.2")}}, 1},
		{"an alias that stands for it", &nameServer{answers: [][]netip.Addr{addrs("127.0.0.2")}, alias: "inner.corp.example."}, 1},
		{"the address mapped into IPv6", &nameServer{answers: [][]netip.Addr{addrs("::ffff:127.0.0.2")}}, 1},
		{"the address within IPv6", &nameServer{answers: [][]netip.Addr{addrs("::7f00:2")}}, 1},
		{"the address behind NAT64", &nameServer{answers: [][]netip.Addr{addrs("64:ff9b::7f00:2")}}, 1},
		{"nothing at first, then the address", &nameServer{answers: [][]netip.Addr{nil, addrs("127.0.0.2")}}, 2},
		{"two blocked addresses", &nameServer{answers: [][]netip.Addr{addrs("127.0.0.2", "169.254.169.254")}}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			transport := newTransport(t, forTrying(), Options{Resolver: test.server.resolver(t)})
			to := "http://innocent.example:" + portOf(inner)
			if err := transport.CheckURL(to); err != nil {
				t.Fatalf("the name alone: %v", err)
			}
			var err error
			for range test.tries {
				_, err = post(t, transport, to)
			}
			if !errors.Is(err, ErrBlocked) {
				t.Errorf("got %v", err)
			}
		})
	}
	if n := inner.requests.Load() + inner.connections.Load(); n != 0 {
		t.Errorf("%d requests and connections came through", n)
	}
}

// TestNameThatDoesNotExist distinguishes a missing name from a blocked one.
func TestNameThatDoesNotExist(t *testing.T) {
	server := &nameServer{answers: [][]netip.Addr{nil}}
	_, err := post(t, newTransport(t, forTrying(), Options{Resolver: server.resolver(t)}), "http://nobody.example")
	var name *net.DNSError
	if errors.Is(err, ErrBlocked) || !errors.As(err, &name) || !name.IsNotFound {
		t.Errorf("got %v", err)
	}
}

// TestStricterPolicyReusesNoConnection keeps a connection alive, and then
// forbids its address: the next request must not travel on it.
func TestStricterPolicyReusesNoConnection(t *testing.T) {
	there := newReceiver(t, anyPort("127.0.0.1"), noContent)
	before := newTransport(t, forTrying(), Options{})
	if code, err := post(t, before, there.URL); code != http.StatusNoContent || err != nil {
		t.Fatalf("got %d, %v", code, err)
	}
	stricter := forTrying()
	stricter.DenyNetworks = networks("127.0.0.0/8")
	_, err := post(t, newTransport(t, stricter, Options{}), there.URL)
	if !errors.Is(err, ErrBlocked) || !strings.Contains(err.Error(), "deny network 127.0.0.0/8") || there.requests.Load() != 1 {
		t.Errorf("got %v, %d requests", err, there.requests.Load())
	}
}
