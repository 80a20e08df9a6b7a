// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestOwn refuses what is ours, by name and by address, even if its network is
// permitted, and permits the neighbours.
func TestOwn(t *testing.T) {
	policy := Policy{
		AllowHTTP: true, AllowNetworks: networks("127.0.0.0/8", "10.0.0.0/8", "::1/128", "0.0.0.0/32", "::/128"),
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
		// What listens on one address of this machine may listen on all.
		{"http://127.0.0.2:9000/items", "the API itself"},
		{"http://127.255.255.254:9000/items", "the API itself"},
		{"http://10.0.0.7:9000/items", "the API itself"},
		{"http://[::ffff:127.0.0.3]:9000/items", "the API itself"},
		{"http://10.0.0.8:9000/hooks", ""},
		{"http://127.0.0.2:9001/hooks", ""},
		{"http://0.0.0.0:2019/load", "a listener of this Caddy"},
		{"http://[::]:9000/items", "the API itself"},
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

// A receiver that names an address of the API's is refused, although the API is
// known by its name only: every address that it has led to in the last minutes,
// and all of this machine's if it leads here.
func TestAddressesOfTheAPI(t *testing.T) {
	now := time.Unix(1e9, 0)
	answers := map[string][]string{"api.internal": {"10.0.0.5"}, "here.internal": {"127.0.0.1"}}
	policy := Policy{
		AllowHTTP: true, AllowNetworks: networks("127.0.0.0/8", "10.0.0.0/8"),
		Own: Own{Upstreams: []string{"api.internal:9000", "here.internal:9100"}},
	}
	transport := newTransport(t, policy, Options{})
	looked := 0
	for _, name := range transport.rules.own.names {
		name.now = func() time.Time { return now }
		name.lookup = func(_ context.Context, _, host string) ([]netip.Addr, error) {
			looked++
			if answers[host] == nil {
				return nil, errors.New("no such host")
			}
			return []netip.Addr{netip.MustParseAddr(answers[host][0])}, nil
		}
	}
	check := func(address string, refused bool) {
		t.Helper()
		if err := transport.control("tcp4", address, nil); errors.Is(err, ErrBlocked) != refused {
			t.Errorf("%s: %v", address, err)
		}
	}
	check("10.0.0.5:9000", true)
	check("10.0.0.6:9000", false)
	check("10.0.0.5:9001", false)
	check("127.0.0.2:9100", true)
	if looked != 2 {
		t.Errorf("looked up %d times", looked)
	}
	answers["api.internal"] = []string{"10.0.0.6"}
	check("10.0.0.6:9000", false)
	now = now.Add(nameEvery)
	check("10.0.0.6:9000", true)
	check("10.0.0.5:9000", true)
	// What cannot be looked up is where it was.
	delete(answers, "api.internal")
	now = now.Add(nameEvery)
	check("10.0.0.6:9000", true)
	now = now.Add(nameKept)
	answers["api.internal"] = []string{"10.0.0.6"}
	check("10.0.0.6:9000", true)
	check("10.0.0.5:9000", false)
}
