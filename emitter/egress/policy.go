// SPDX-License-Identifier: Apache-2.0

// Package egress decides where the module may send requests whose URLs
// strangers choose: a receiver's URL must not make us send requests to
// ourselves. One [Transport] carries everything that goes to receivers, so no
// path can forget the rules.
package egress

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Policy says what may be sent where. The zero Policy permits https to public
// addresses and nothing else.
type Policy struct {
	// AllowHTTP permits receivers without TLS.
	AllowHTTP bool
	// AllowNetworks permits addresses that are not public. The addresses at
	// which clouds hand out credentials stay blocked, unless a listed network
	// lies within theirs.
	AllowNetworks []netip.Prefix
	// DenyNetworks refuses addresses, whatever else permits them.
	DenyNetworks []netip.Prefix
	// OnlyHosts, if not empty, permits these hosts and no others: names or
	// addresses as written in the URL, or "*.partner.example" for every name
	// below partner.example, but not itself.
	OnlyHosts []string
	// From are the source addresses of connections, all of IPv4 or all of IPv6; none
	// leaves it to the system. See [Transport.For].
	From []netip.Addr
	// Proxy is the HTTP proxy through which everything goes, as
	// http://proxy.example:3128 or https://…, with credentials before the host
	// if it needs any; "" is none. Receivers' addresses are still checked here,
	// and the proxy gets addresses only.
	Proxy string
	// Own names what belongs to ourselves, and is refused unless AllowOwn is
	// set.
	Own      Own
	AllowOwn bool
}

// Equal reports whether two policies permit the same.
func (p Policy) Equal(other Policy) bool {
	return p.AllowHTTP == other.AllowHTTP && slices.Equal(p.From, other.From) && p.Proxy == other.Proxy &&
		p.AllowOwn == other.AllowOwn && p.Own.Equal(other.Own) &&
		slices.Equal(p.AllowNetworks, other.AllowNetworks) && slices.Equal(p.DenyNetworks, other.DenyNetworks) &&
		slices.Equal(p.OnlyHosts, other.OnlyHosts)
}

// compiled is a policy in the form that requests are checked against.
type compiled struct {
	allowHTTP bool
	addresses addressRule
	hosts     hostRule
	own       ownRule
}

func (p Policy) compile(resolver *net.Resolver) (compiled, error) {
	allowed, err := plainPrefixes(p.AllowNetworks)
	if err != nil {
		return compiled{}, err
	}
	denied, err := plainPrefixes(p.DenyNetworks)
	if err != nil {
		return compiled{}, err
	}
	hosts, err := newHostRule(p.OnlyHosts)
	if err != nil {
		return compiled{}, err
	}
	rules := compiled{allowHTTP: p.AllowHTTP, addresses: newAddressRule(allowed, denied), hosts: hosts}
	if !p.AllowOwn {
		rules.own, err = newOwnRule(p.Own, resolver)
	}
	return rules, err
}

// hostRule is the compiled form of OnlyHosts.
type hostRule struct {
	names    map[string]bool
	suffixes []string
}

func newHostRule(hosts []string) (hostRule, error) {
	rule := hostRule{names: map[string]bool{}}
	for _, host := range hosts {
		name, isSuffix := strings.CutPrefix(strings.ToLower(host), "*.")
		if addr, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil && !isSuffix {
			rule.names[addr.Unmap().String()] = true
			continue
		}
		if err := checkName(name); err != nil {
			return hostRule{}, fmt.Errorf("%w: only host %q: %w; write a name, an address, or *.partner.example for all names below one", ErrBadPolicy, host, err)
		}
		if isSuffix {
			rule.suffixes = append(rule.suffixes, "."+name)
		} else {
			rule.names[name] = true
		}
	}
	return rule, nil
}

// isEmpty reports whether every host is permitted.
func (r hostRule) isEmpty() bool {
	return len(r.names) == 0 && len(r.suffixes) == 0
}

// permits reports whether a host, in lower case, is listed.
func (r hostRule) permits(host string) bool {
	return r.names[host] || slices.ContainsFunc(r.suffixes, func(suffix string) bool {
		return strings.HasSuffix(host, suffix)
	})
}
