// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestAddressRule(t *testing.T) {
	everything := networks("0.0.0.0/0", "::/0")
	for _, test := range []struct {
		name    string
		allowed []netip.Prefix
		addr    string
		ok      bool
	}{
		{"one address", networks("10.0.0.7/32"), "10.0.0.7", true},
		{"one address opens no other", networks("10.0.0.7/32"), "10.0.0.8", false},
		{"one address opens no other network", networks("10.0.0.7/32"), "192.168.0.7", false},
		{"one address opens no IPv6", networks("10.0.0.7/32"), "fd00::7", false},
		{"one address opens no metadata", networks("10.0.0.7/32"), "169.254.169.254", false},
		{"one address mapped", networks("10.0.0.7/32"), "::ffff:10.0.0.7", true},
		{"network with host bits", networks("10.0.0.7/8"), "10.200.0.1", true},
		{"network written as IPv6", networks("::ffff:10.0.0.0/104"), "10.200.0.1", true},
		{"network written as IPv6 opens no other", networks("::ffff:10.0.0.0/104"), "172.16.0.1", false},
		{"unique local", networks("fd12::/16"), "fd12::1", true},
		{"IPv6 opens no IPv4", networks("::/0"), "127.0.0.1", false},
		{"IPv4 opens no IPv6", networks("0.0.0.0/0"), "::1", false},
		{"everything opens loopback", everything, "127.0.0.1", true},
		{"everything opens no metadata", everything, "169.254.169.254", false},
		{"everything opens no mapped metadata", everything, "::ffff:169.254.169.254", false},
		{"everything opens no metadata of Alibaba", everything, "100.100.100.200", false},
		{"everything opens no metadata of Azure", everything, "168.63.129.16", false},
		{"everything opens no metadata of AWS", everything, "fd00:ec2::254", false},
		{"everything opens no metadata of Google", everything, "fd20:ce::254", false},
		{"everything opens no metadata behind NAT64", everything, "64:ff9b::a9fe:a9fe", false},
		{"the carriers' range opens no metadata in it", networks("100.64.0.0/10"), "100.100.100.200", false},
		{"the carriers' range", networks("100.64.0.0/10"), "100.100.100.201", true},
		{"a range a bit wider than metadata", networks("169.254.0.0/15"), "169.254.169.254", false},
		{"exactly the metadata network", networks("169.254.0.0/16"), "169.254.169.254", true},
		{"within the metadata network", networks("169.254.10.0/24"), "169.254.10.1", true},
		{"within the metadata network opens no more", networks("169.254.10.0/24"), "169.254.169.254", false},
		{"exactly Azure's address", networks("168.63.129.16/32"), "168.63.129.16", true},
		{"exactly Google's network", networks("fd20:ce::/64"), "fd20:ce::254", true},
		{"a public address beside one allowed", networks("10.0.0.7/32"), "8.8.8.8", true},
		{"NAT64 of a public address by default", nil, "64:ff9b::808:808", false},
		{"NAT64 of a public address", networks("64:ff9b::/96"), "64:ff9b::808:808", true},
		{"NAT64 of a private address", networks("64:ff9b::/96"), "64:ff9b::a00:1", false},
		{"NAT64 of an allowed address", networks("64:ff9b::/96", "10.0.0.0/8"), "64:ff9b::a00:1", true},
		{"an interface, whatever is allowed", everything, "fe80::1%lo", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			transport := newTransport(t, Policy{AllowNetworks: test.allowed}, Options{})
			address := netip.AddrPortFrom(netip.MustParseAddr(test.addr), 8443).String()
			err := transport.control("tcp6", address, nil)
			if test.ok && err != nil || !test.ok && !errors.Is(err, ErrBlocked) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestDenyNetworks refuses denied networks, whatever else permits them, and
// nothing more.
func TestDenyNetworks(t *testing.T) {
	transport := newTransport(t, Policy{
		AllowNetworks: networks("10.0.0.0/8", "169.254.169.0/24"),
		DenyNetworks:  networks("10.1.0.0/16", "8.8.8.0/24", "::ffff:9.9.9.9/128", "2606:4700::/32", "169.254.169.254/32"),
	}, Options{})
	for addr, denied := range map[string]bool{
		"10.1.2.3": true, "10.2.0.1": false, "8.8.8.8": true, "::ffff:8.8.8.8": true, "8.8.4.4": false, "9.9.9.9": true,
		"2606:4700:4700::1111": true, "2001:4860:4860::8888": false, "169.254.169.254": true, "169.254.169.253": false,
	} {
		err := transport.control("tcp6", netip.AddrPortFrom(netip.MustParseAddr(addr), 443).String(), nil)
		if denied != errors.Is(err, ErrBlocked) || denied && !strings.Contains(err.Error(), "deny network") {
			t.Errorf("%s: got %v", addr, err)
		}
	}
	if err := transport.CheckURL("https://8.8.8.8/"); !errors.Is(err, ErrBlocked) {
		t.Errorf("as a URL: %v", err)
	}
}

func TestControlRefusesWhatItCannotJudge(t *testing.T) {
	transport := newTransport(t, Policy{AllowNetworks: networks("0.0.0.0/0", "::/0")}, Options{})
	for _, test := range []struct{ network, address string }{
		{"udp4", "8.8.8.8:53"}, {"unix", "/var/run/docker.sock"}, {"tcp4", "example.com:443"}, {"tcp4", ""},
	} {
		if err := transport.control(test.network, test.address, nil); !errors.Is(err, ErrBlocked) {
			t.Errorf("%s %s: got %v", test.network, test.address, err)
		}
	}
}

func TestPolicyRefuses(t *testing.T) {
	for _, test := range []struct {
		policy Policy
		want   string
	}{
		{Policy{AllowNetworks: []netip.Prefix{{}}}, "a network is missing"},
		{Policy{AllowNetworks: networks("::ffff:0:0/90")}, "mixes IPv4 and IPv6"},
		{Policy{OnlyHosts: []string{"*"}}, `only host "*"`},
		{Policy{OnlyHosts: []string{"*.*.example"}}, `only host "*.*.example"`},
		{Policy{OnlyHosts: []string{"erp.*"}}, `only host "erp.*"`},
		{Policy{OnlyHosts: []string{"*.127.0.0.1"}}, "a number but no address"},
		{Policy{OnlyHosts: []string{"https://erp.example.com"}}, "write a name"},
		{Policy{OnlyHosts: []string{"erp.example.com:443"}}, "write a name"},
		{Policy{OnlyHosts: []string{""}}, "write a name"},
		{Policy{OnlyHosts: []string{"exämple.com"}}, "write a name"},
		{Policy{DenyNetworks: []netip.Prefix{{}}}, "deny network"},
		{Policy{Proxy: "proxy.example:3128"}, "the proxy is not given as"},
		{Policy{Proxy: "socks5://proxy.example:1080"}, "the proxy is not given as"},
		{Policy{Proxy: "http://canary:canary@proxy.example:0"}, "the proxy's port"},
		{Policy{Proxy: "http://canary:canary@proxy.example/canary"}, "the proxy is not given as"},
		{Policy{Proxy: "http://canary:%zz@proxy.example"}, "the proxy is not given as"},
		{Policy{Own: Own{Upstreams: []string{"api.internal"}}}, "has no port"},
		{Policy{From: []netip.Addr{netip.IPv4Unspecified()}}, "from 0.0.0.0"},
		{Policy{From: []netip.Addr{netip.MustParseAddr("224.0.0.1")}}, "from 224.0.0.1"},
		{Policy{From: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}}, "name addresses of one kind"},
	} {
		if _, err := New(test.policy, Options{}); !errors.Is(err, ErrBadPolicy) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%+v: got %v, want %q", test.policy, err, test.want)
		}
	}
}

func TestPolicyEqual(t *testing.T) {
	policy := func() Policy {
		return Policy{AllowHTTP: true, AllowNetworks: networks("10.0.0.0/8"), OnlyHosts: []string{"a.example"}, From: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}
	}
	if !policy().Equal(policy()) || !(Policy{}).Equal(Policy{AllowNetworks: networks()}) {
		t.Error("equal policies differ")
	}
	for i, change := range []func(*Policy){
		func(p *Policy) { p.AllowHTTP = false },
		func(p *Policy) { p.AllowNetworks = networks("10.0.0.0/9") },
		func(p *Policy) { p.OnlyHosts = append(p.OnlyHosts, "b.example") },
		func(p *Policy) { p.From = nil },
		func(p *Policy) { p.DenyNetworks = networks("10.0.0.0/9") },
		func(p *Policy) { p.Proxy = "http://proxy.example" },
		func(p *Policy) { p.AllowOwn = true },
		func(p *Policy) { p.Own.Listeners = []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:443")} },
		func(p *Policy) { p.Own.Hosts = []string{"api.example.com"} },
		func(p *Policy) { p.Own.Upstreams = []string{"127.0.0.1:9000"} },
	} {
		changed := policy()
		change(&changed)
		if changed.Equal(policy()) {
			t.Errorf("change %d is not detected", i)
		}
	}
}
