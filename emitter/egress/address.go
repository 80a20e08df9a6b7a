// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"fmt"
	"net/netip"
	"slices"

	"code.dny.dev/ssrf"
)

// metadata are the networks in which clouds answer any program on a machine,
// and give it the machine's credentials. Allowing private networks to reach a
// receiver must not allow these along with them.
var metadata = []netip.Prefix{
	netip.MustParsePrefix("169.254.0.0/16"),     // link-local: AWS, Google, Azure, OpenStack, …
	netip.MustParsePrefix("100.100.100.200/32"), // Alibaba, within the carriers' shared range
	netip.MustParsePrefix("168.63.129.16/32"),   // Azure's wire server, in a public range
	netip.MustParsePrefix("192.0.0.192/32"),     // Oracle's older one
	netip.MustParsePrefix("fd00:ec2::/32"),      // AWS
	netip.MustParsePrefix("fd20:ce::/64"),       // Google
}

// nat64 is the network whose addresses stand for the IPv4 address in their last
// four bytes.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// addressRule decides on addresses that are about to be dialed.
type addressRule struct {
	allowed  []netip.Prefix
	denied   []netip.Prefix
	guardian *ssrf.Guardian
}

func newAddressRule(allowed, denied []netip.Prefix) addressRule {
	var v4, v6 []netip.Prefix
	for _, prefix := range allowed {
		if prefix.Addr().Is4() {
			v4 = append(v4, prefix)
		} else {
			v6 = append(v6, prefix)
		}
	}
	return addressRule{allowed: allowed, denied: denied, guardian: ssrf.New(
		ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...), ssrf.WithAnyPort())}
}

// check returns why an address may not be dialed, as [ErrBlocked].
func (r addressRule) check(addr netip.Addr) error {
	if addr.Zone() != "" {
		return blocked("%s names an interface of this machine", addr)
	}
	addr = addr.Unmap()
	for _, network := range r.denied {
		if network.Contains(addr) {
			return blocked("%s is in a network that is denied: deny network %s", addr, network)
		}
	}
	for _, network := range metadata {
		if network.Contains(addr) && !r.names(network, addr) {
			return blocked("%s is where clouds hand out credentials (%s)", addr, network)
		}
	}
	if nat64.Contains(addr) {
		// The gateway forwards to the address behind it, so both must be
		// permitted.
		bytes := addr.As16()
		behind := netip.AddrFrom4([4]byte(bytes[12:]))
		if r.check(behind) != nil {
			return blocked("%s stands for %s, which is not a permitted address", addr, behind)
		}
	}
	if err := r.guardian.SafeAddr(addr); err != nil {
		return blocked("%s is not a public address; to permit it: allow network %s", addr, netip.PrefixFrom(addr, addr.BitLen()))
	}
	return nil
}

// names reports whether an address is in an allowed network that lies within
// the given one, and so must have been meant.
func (r addressRule) names(network netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(r.allowed, func(allowed netip.Prefix) bool {
		return allowed.Bits() >= network.Bits() && allowed.Contains(addr)
	})
}

func plainPrefixes(prefixes []netip.Prefix) ([]netip.Prefix, error) {
	plain := make([]netip.Prefix, 0, len(prefixes))
	for _, prefix := range prefixes {
		p, err := plainPrefix(prefix)
		if err != nil {
			return nil, err
		}
		plain = append(plain, p)
	}
	return plain, nil
}

// plainPrefix returns a network in the form that is compared with addresses:
// without host bits, and as IPv4 if it is an IPv4 network written as IPv6.
func plainPrefix(prefix netip.Prefix) (netip.Prefix, error) {
	const mappedBits = 96
	addr := prefix.Addr()
	switch {
	case !prefix.IsValid():
		return netip.Prefix{}, fmt.Errorf("%w: a network is missing; write: allow network 10.0.0.0/8, or deny network", ErrBadPolicy)
	case !addr.Is4In6():
		return prefix.Masked(), nil
	case prefix.Bits() < mappedBits:
		return netip.Prefix{}, fmt.Errorf("%w: network %s mixes IPv4 and IPv6; name each network on its own", ErrBadPolicy, prefix)
	default:
		return netip.PrefixFrom(addr.Unmap(), prefix.Bits()-mappedBits).Masked(), nil
	}
}
