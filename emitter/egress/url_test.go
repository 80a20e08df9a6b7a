// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"errors"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
)

// newTransport returns a transport that is closed when the test ends.
func newTransport(t testing.TB, policy Policy, options Options) *Transport {
	t.Helper()
	transport, err := New(policy, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.Close)
	return transport
}

func networks(texts ...string) []netip.Prefix {
	var prefixes []netip.Prefix
	for _, text := range texts {
		prefixes = append(prefixes, netip.MustParsePrefix(text))
	}
	return prefixes
}

type addressCase struct{ stopped, url, why string }

func readAddresses(t testing.TB) []addressCase {
	t.Helper()
	file, err := os.Open("testdata/addresses.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var cases []addressCase
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		if strings.HasPrefix(scanner.Text(), "#") {
			continue
		}
		fields := strings.Split(scanner.Text(), "\t")
		if len(fields) != 3 {
			t.Fatalf("%q has %d fields", scanner.Text(), len(fields))
		}
		cases = append(cases, addressCase{fields[0], fields[1], fields[2]})
	}
	return cases
}

// TestCheckURLAddresses permits http, so that no case is refused merely for
// lack of TLS.
func TestCheckURLAddresses(t *testing.T) {
	transport := newTransport(t, Policy{AllowHTTP: true}, Options{})
	literals := 0
	for _, test := range readAddresses(t) {
		err := transport.CheckURL(test.url)
		if refused := test.stopped == "url"; refused != (err != nil) {
			t.Errorf("%s (%s): got %v", test.url, test.why, err)
		}
		if err != nil && !errors.Is(err, ErrBadURL) && !errors.Is(err, ErrBlocked) {
			t.Errorf("%s: %v is not an error of this package", test.url, err)
		}
		u, err := url.Parse(test.url)
		if err != nil {
			continue
		}
		// An address that passes CheckURL gets the same result at the dial.
		if addr, err := netip.ParseAddr(u.Hostname()); err == nil && u.User == nil {
			literals++
			network := "tcp6"
			if addr.Is4() {
				network = "tcp4"
			}
			err := transport.control(network, netip.AddrPortFrom(addr, 443).String(), nil)
			if blocked := test.stopped != "ok"; blocked != errors.Is(err, ErrBlocked) {
				t.Errorf("%s (%s): dialing gives %v", test.url, test.why, err)
			}
		}
	}
	if literals < 40 {
		t.Errorf("only %d addresses among the cases", literals)
	}
}

func TestCheckURLByPolicy(t *testing.T) {
	loopback := Policy{AllowHTTP: true, AllowNetworks: networks("127.0.0.0/8")}
	for _, test := range []struct {
		name   string
		policy Policy
		url    string
		// want is part of the error, or "" if the URL is accepted.
		want string
	}{
		{"http by default", Policy{}, "http://example.com/", "allow http"},
		{"http and a public address", Policy{}, "http://8.8.8.8/", "allow http"},
		{"localhost by default", Policy{AllowHTTP: true}, "http://localhost:9001/", "allow network 127.0.0.0/8"},
		{"loopback by default", Policy{AllowHTTP: true}, "http://127.0.0.1:9001/", "allow network 127.0.0.1/32"},
		{"localhost, for trying out", loopback, "http://localhost:9001/", ""},
		{"below localhost, for trying out", loopback, "http://erp.localhost:9001/", ""},
		{"loopback, for trying out", loopback, "http://127.0.0.1:9001/", ""},
		{"a name of containers", loopback, "http://receiver:9001/", ""},
		{"IPv6 loopback is another network", loopback, "http://[::1]:9001/", "allow network ::1/128"},
		{"a private address is another network", loopback, "http://10.0.0.1/", "allow network 10.0.0.1/32"},
		{"localhost by its IPv6 address", Policy{AllowHTTP: true, AllowNetworks: networks("::1/128")}, "http://localhost/", ""},
		{"localhost with another network", Policy{AllowHTTP: true, AllowNetworks: networks("10.0.0.0/8")}, "http://localhost/", "allow network 127.0.0.0/8"},
		{"an inner name with its network", Policy{AllowNetworks: networks("10.0.0.0/8")}, "https://erp.internal/", ""},
		{"an only host", Policy{OnlyHosts: []string{"erp.example.com"}}, "https://ERP.example.com/", ""},
		{"another host", Policy{OnlyHosts: []string{"erp.example.com"}}, "https://crm.example.com/", "crm.example.com is not among the only hosts"},
		{"below an only host", Policy{OnlyHosts: []string{"example.com"}}, "https://a.example.com/", "not among the only hosts"},
		{"below a partner", Policy{OnlyHosts: []string{"*.Partner.example"}}, "https://a.b.partner.example/", ""},
		{"the partner itself", Policy{OnlyHosts: []string{"*.partner.example"}}, "https://partner.example/", "not among the only hosts"},
		{"a name that ends like the partner", Policy{OnlyHosts: []string{"*.partner.example"}}, "https://evilpartner.example/", "not among the only hosts"},
		{"an only address", Policy{OnlyHosts: []string{"8.8.8.8"}}, "https://[::ffff:8.8.8.8]/", ""},
		{"an only IPv6 address", Policy{OnlyHosts: []string{"[2606:4700:4700::1111]"}}, "https://[2606:4700:4700:0::1111]/", ""},
		{"an only host opens no network", Policy{OnlyHosts: []string{"127.0.0.1"}}, "https://127.0.0.1/", "allow network"},
		{"the longest", Policy{}, "https://example.com/" + strings.Repeat("a", MaxURLLength-20), ""},
		{"a byte longer", Policy{}, "https://example.com/" + strings.Repeat("a", MaxURLLength-19), "2049 bytes"},
		{"empty", Policy{}, "", "no scheme or no host"},
		{"a placeholder left in place", Policy{}, "{env.URL}", "no scheme or no host"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := newTransport(t, test.policy, Options{}).CheckURL(test.url)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestCheckURLErrorsHidePathAndQuery(t *testing.T) {
	transport := newTransport(t, Policy{OnlyHosts: []string{"*.partner.example"}}, Options{})
	for _, head := range []string{
		"http://a.partner.example", "https://example.com", "https://127.0.0.1", "https://user:canary@example.com",
		"https://exa mple.com", "https://a.partner.example:x", "https://a.partner.example:0", "ftp://a.partner.example",
		"https://a..b", "//example.com", "https://%zz",
	} {
		err := transport.CheckURL(head + "/canary/%zz?token=canary")
		if err == nil || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "zz") {
			t.Errorf("%s: got %v", head, err)
		}
	}
}

// TestForSubscriber shows a subscriber mistakes in spelling only: all blocked
// URLs look the same.
func TestForSubscriber(t *testing.T) {
	policy := Policy{OnlyHosts: []string{"*.partner.example", "10.0.0.1"}, DenyNetworks: networks("8.8.8.8/32")}
	policy.Own.Hosts = []string{"api.partner.example"}
	transport := newTransport(t, policy, Options{})
	seen := map[string]bool{}
	for _, to := range []string{
		"https://10.0.0.1/", "https://127.0.0.1/", "https://169.254.169.254/", "https://8.8.8.8/", "http://a.partner.example/",
		"https://other.example/", "https://api.partner.example/", "https://metadata.google.internal/",
	} {
		err := transport.CheckURL(to)
		if err == nil {
			t.Errorf("%s is not refused", to)
		}
		seen[ForSubscriber(err)] = true
	}
	if len(seen) != 1 {
		t.Errorf("blocked URLs can be distinguished: %v", seen)
	}
	if got := ForSubscriber(transport.CheckURL("https://a..b/")); !strings.Contains(got, "its dots") || ForSubscriber(nil) != "" {
		t.Errorf("a misspelt URL: %q", got)
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, test := range readAddresses(f) {
		f.Add(test.url)
	}
	transport := newTransport(f, Policy{}, Options{})
	f.Fuzz(func(t *testing.T, raw string) {
		err := transport.CheckURL(raw)
		if err != nil {
			if !errors.Is(err, ErrBadURL) && !errors.Is(err, ErrBlocked) {
				t.Fatalf("%q: got %v", raw, err)
			}
			return
		}
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
			t.Fatalf("%q was accepted: %+v, %v", raw, u, err)
		}
		if !strings.ContainsAny(u.Hostname(), ".:") || strings.HasSuffix(strings.ToLower(u.Hostname()), ".localhost") {
			t.Fatalf("%q was accepted though its host is an inner one", raw)
		}
		if addr, err := netip.ParseAddr(u.Hostname()); err == nil && (addr.IsLoopback() || addr.IsPrivate() || addr.IsLinkLocalUnicast()) {
			t.Fatalf("%q was accepted though its address is not public", raw)
		}
	})
}
