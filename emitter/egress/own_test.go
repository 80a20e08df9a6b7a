// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// TestOwn refuses what is ours, by name and by address, even if its network is
// permitted, and permits the neighbours.
func TestOwn(t *testing.T) {
	policy := Policy{
		AllowHTTP: true, AllowNetworks: networks("127.0.0.0/8", "10.0.0.0/8", "::1/128"),
		Own: Own{
			Listeners: []netip.AddrPort{
				netip.MustParseAddrPort("0.0.0.0:443"), netip.MustParseAddrPort("[::]:8080"),
				netip.MustParseAddrPort("127.0.0.1:2019"), netip.MustParseAddrPort("[::ffff:10.0.0.7]:7000"),
			},
			Hosts:     []string{"api.example.com", "*.api.example.com", "localhost", "no_host", "*"},
			Upstreams: []string{"10.0.0.5:9000", "Legacy.internal:9000", "[::1]:9000"},
		},
	}
	locals := Options{LocalAddresses: func() ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("8.8.8.8")}, nil
	}}
	unknown := Options{LocalAddresses: func() ([]netip.Addr, error) { return nil, errors.New("no interfaces") }}
	for _, test := range []struct {
		url  string
		want string
	}{
		{"https://api.example.com/hooks", "serves the API"},
		{"https://API.example.com/hooks", "serves the API"},
		{"http://api.example.com/hooks", "serves the API"},
		{"https://v2.api.example.com/hooks", "serves the API"},
		{"https://api.example.com:8080/hooks", "serves the API"},
		{"https://api.example.com:9443/hooks", ""},
		{"https://example.com/hooks", ""},
		{"http://localhost:9001/hooks", ""},
		{"http://localhost:8080/hooks", "serves the API"},
		{"http://127.0.0.1:2019/config/", "a listener of this Caddy"},
		{"http://127.0.0.2:2019/config/", ""},
		{"http://127.0.0.2:8080/", "a listener of this Caddy"},
		{"http://[::1]:8080/", "a listener of this Caddy"},
		{"http://10.0.0.7:8080/", "a listener of this Caddy"},
		{"http://10.0.0.7:7000/", "a listener of this Caddy"},
		{"http://10.0.0.8:8080/", ""},
		{"https://8.8.8.8/hooks", "a listener of this Caddy"},
		{"https://8.8.4.4/hooks", ""},
		{"http://10.0.0.5:9000/items", "the API itself"},
		{"http://10.0.0.5:9001/hooks", ""},
		{"http://legacy.internal:9000/items", "the API itself"},
		{"http://[0:0::1]:9000/items", "the API itself"},
	} {
		err := newTransport(t, policy, locals).CheckURL(test.url)
		if test.want == "" && err != nil || test.want != "" && (!errors.Is(err, ErrBlocked) || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: got %v, want %q", test.url, err, test.want)
		}
		permissive := policy
		permissive.AllowOwn = true
		if err := newTransport(t, permissive, locals).CheckURL(test.url); err != nil {
			t.Errorf("%s, permitted: %v", test.url, err)
		}
	}
	// The dial checks again, for names that resolve to such an address.
	transport := newTransport(t, policy, locals)
	if err := transport.control("tcp4", "8.8.8.8:443", nil); !errors.Is(err, ErrBlocked) {
		t.Errorf("dialing: %v", err)
	}
	if err := newTransport(t, policy, unknown).control("tcp4", "8.8.4.4:443", nil); !errors.Is(err, ErrBlocked) {
		t.Errorf("dialing where our addresses are not known: %v", err)
	}
	if _, err := interfaceAddresses(); err != nil {
		t.Error(err)
	}
}

// TestOwnListenerIsNotReached has a name resolve to an address at which we
// listen.
func TestOwnListenerIsNotReached(t *testing.T) {
	ours := newReceiver(t, anyPort("127.0.0.1"), noContent)
	policy := forTrying()
	policy.Own.Listeners = []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:" + portOf(ours))}
	server := &nameServer{answers: [][]netip.Addr{{netip.MustParseAddr("127.0.0.1")}}}
	_, err := post(t, newTransport(t, policy, Options{Resolver: server.resolver(t)}), "http://innocent.example:"+portOf(ours))
	if !errors.Is(err, ErrBlocked) || ours.requests.Load() != 0 {
		t.Errorf("got %v, %d requests", err, ours.requests.Load())
	}
}
