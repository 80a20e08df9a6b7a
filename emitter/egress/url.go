// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// MaxURLLength is the longest URL that is accepted, in bytes.
const MaxURLLength = 2048

// notWeb are ports on which a public host most likely has a service that reads
// lines of text and does not speak HTTP: a body that we post must not become a
// mail or a database command. Receivers may be on any other port.
var notWeb = []uint16{
	7, 9, 13, 17, 19, 21, 22, 23, 25, 37, 43, 53, 69, 79, 110, 111, 119, 135, 137, 139, 143, 161, 179, 389,
	445, 465, 512, 513, 514, 515, 587, 636, 993, 995, 1433, 1521, 2049, 3306, 3389, 5432, 6379, 6667, 11211, 27017,
}

// innerNames are the ends of names that only mean something inside a network,
// mostly something that is not for strangers. Names without a dot are of that
// kind too.
var innerNames = []string{".local", ".internal", ".localdomain", ".lan", ".home.arpa", ".intranet", ".corp", ".private", ".svc"}

// checkURL returns why nothing can be sent to a URL, as far as the URL itself
// shows.
func (c compiled) checkURL(raw string) error {
	u, err := parse(raw)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadURL, err)
	}
	host := strings.ToLower(u.Hostname())
	if err := checkPort(u, host); err != nil {
		return fmt.Errorf("%w: %w", ErrBadURL, err)
	}
	addr, isAddr, err := parseHost(host)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadURL, err)
	}
	if err := c.checkRequest(u); err != nil {
		return err
	}
	if isAddr {
		return c.checkAddress(netip.AddrPortFrom(addr, effectivePort(u)))
	}
	return c.checkInnerName(host)
}

// checkRequest is the part of checkURL that is repeated for each request, since
// the policy may be stricter by then.
func (c compiled) checkRequest(u *url.URL) error {
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && c.allowHTTP:
	case u.Scheme == "http":
		return blocked("a receiver without TLS; use https, or permit it: allow http")
	default:
		return fmt.Errorf("%w: its scheme is %q; use https", ErrBadURL, u.Scheme)
	}
	host := strings.ToLower(u.Hostname())
	if addr, err := netip.ParseAddr(host); err == nil {
		host = addr.Unmap().String()
	}
	if err := c.own.checkHost(host, effectivePort(u)); err != nil {
		return err
	}
	if c.hosts.isEmpty() {
		return nil
	}
	if !c.hosts.permits(host) {
		return blocked("%s is not among the only hosts; to permit it: only host %s", host, host)
	}
	return nil
}

// checkAddress checks an address before the connection.
func (c compiled) checkAddress(target netip.AddrPort) error {
	if err := c.addresses.check(target.Addr()); err != nil {
		return err
	}
	return c.own.checkAddress(target)
}

// effectivePort returns the port that a URL leads to, 0 for an invalid one.
func effectivePort(u *url.URL) uint16 {
	switch port := u.Port(); {
	case port != "":
		number, _ := strconv.ParseUint(port, 10, 16)
		return uint16(number)
	case u.Scheme == "http":
		return 80
	default:
		return 443
	}
}

// checkInnerName refuses names that cannot be meant for a public receiver. An
// operator who opens a network may use its names: their addresses are checked
// at the dial.
func (c compiled) checkInnerName(host string) error {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		v4, v6 := netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()
		if c.addresses.check(v4) != nil && c.addresses.check(v6) != nil {
			return blocked("%s is this machine; to permit it: allow network 127.0.0.0/8", host)
		}
		return nil
	}
	if len(c.addresses.allowed) > 0 {
		return nil
	}
	inner := !strings.Contains(host, ".") ||
		slices.ContainsFunc(innerNames, func(suffix string) bool { return strings.HasSuffix(host, suffix) })
	if inner {
		return blocked("%s is a name of an inner network; use a public one, or permit the receiver's addresses: allow network …", host)
	}
	return nil
}

// parse splits a URL and refuses whatever parsers are known to disagree about.
// Its errors leave out the parser's own, which quote the URL.
func parse(raw string) (*url.URL, error) {
	for _, c := range []byte(raw) {
		if c <= ' ' || c >= 0x7f || c == '\\' {
			return nil, fmt.Errorf("it has the character %q; percent-encode it in a path or query, and write host names in ASCII, as xn--…", c)
		}
	}
	if len(raw) > MaxURLLength {
		return nil, fmt.Errorf("it has %d bytes; at most %d are possible", len(raw), MaxURLLength)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("it is malformed; write it as https://erp.example.com/hooks")
	case u.Scheme == "" || u.Host == "" || u.Opaque != "":
		return nil, errors.New("it has no scheme or no host; write it as https://erp.example.com/hooks")
	case u.User != nil:
		return nil, errors.New("it has credentials before the host; deliveries are authenticated by their signature")
	case strings.Contains(raw, "#"):
		return nil, errors.New("it has a fragment, which is never sent; leave out what follows the #")
	}
	return u, nil
}

func checkPort(u *url.URL, host string) error {
	port := u.Port()
	if port == "" {
		if strings.HasSuffix(u.Host, ":") {
			return errors.New("it has a colon without a port")
		}
		return nil
	}
	number, err := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil || number == 0 || port[0] == '0':
		return fmt.Errorf("port %.8s of %s is not between 1 and 65535", port, host)
	case slices.Contains(notWeb, uint16(number)):
		return fmt.Errorf("port %d of %s is not one of web servers", number, host)
	}
	return nil
}

// parseHost distinguishes addresses from names, and refuses anything else.
func parseHost(host string) (netip.Addr, bool, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr, true, nil
	}
	return netip.Addr{}, false, checkName(host)
}

// checkName returns what is wrong with a host name in lower case.
func checkName(host string) error {
	const maxName, maxLabel = 253, 63
	if host == "" || len(host) > maxName {
		return fmt.Errorf("the host's name has %d characters, not 1 to %d", len(host), maxName)
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" {
			return errors.New("the host's name has nothing before, after or between its dots")
		}
		if len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' || strings.IndexFunc(label, notNameRune) >= 0 {
			return fmt.Errorf("%.64q is no part of a host's name", label)
		}
	}
	// The C library's resolvers read 127.1, 2130706433 and 0x7f.1 as addresses.
	last := labels[len(labels)-1]
	if isNumber(last) {
		return errors.New("the host is a number but no address; write IPv4 addresses as 203.0.113.7, IPv6 addresses in brackets")
	}
	if strings.Contains(host, "xn--") {
		if _, err := idna.Lookup.ToUnicode(host); err != nil {
			return errors.New("the host's name is not valid punycode")
		}
	}
	return nil
}

func notNameRune(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
}

// isNumber reports whether some resolver would take a name for an address
// because of its last label.
func isNumber(label string) bool {
	digits, isHex := strings.CutPrefix(label, "0x")
	if !isHex {
		_, err := strconv.ParseUint(digits, 10, 64)
		return err == nil || strings.Trim(digits, "0123456789") == ""
	}
	return strings.Trim(digits, "0123456789abcdef") == ""
}
