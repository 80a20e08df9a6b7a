// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Own names what belongs to ourselves. A delivery there could change the API,
// or request a new configuration from Caddy's admin endpoint, in our name; and
// one that reaches the API through Caddy could make the next one, and so on.
type Own struct {
	// Listeners are the addresses at which this process listens. An unspecified
	// address stands for all addresses of this machine.
	Listeners []netip.AddrPort
	// Hosts are the names under which the API is reached through this process:
	// on the listeners' ports, and on 80 and 443. "*.example.com" stands for
	// every name below example.com.
	Hosts []string
	// Upstreams are the API's own addresses, as host:port. What is at an address
	// of this machine is at all of them, since the API may listen on all; a
	// name is also every address that it leads to.
	Upstreams []string
}

// Equal reports whether both name the same.
func (o Own) Equal(other Own) bool {
	return slices.Equal(o.Listeners, other.Listeners) && slices.Equal(o.Hosts, other.Hosts) && slices.Equal(o.Upstreams, other.Upstreams)
}

// ownRule is the compiled form of Own. The zero ownRule refuses nothing.
type ownRule struct {
	listeners []netip.AddrPort
	hosts     hostRule
	ports     []uint16
	// upstreams has the API's addresses as URLs write them, apis those that are
	// no names, and names those that are.
	upstreams map[string]bool
	apis      []netip.AddrPort
	names     []*ownName
	local     func() ([]netip.Addr, error)
}

func newOwnRule(own Own, resolver *net.Resolver) (ownRule, error) {
	rule := ownRule{ports: []uint16{80, 443}, upstreams: map[string]bool{}, local: interfaceAddresses}
	for _, listener := range own.Listeners {
		rule.listeners = append(rule.listeners, netip.AddrPortFrom(plain(listener.Addr()), listener.Port()))
		rule.ports = append(rule.ports, listener.Port())
	}
	// A host that no URL can have needs no rule.
	hosts := slices.DeleteFunc(slices.Clone(own.Hosts), func(host string) bool {
		_, err := newHostRule([]string{host})
		return err != nil
	})
	var err error
	if rule.hosts, err = newHostRule(hosts); err != nil {
		return rule, err
	}
	for _, upstream := range own.Upstreams {
		host, port, err := net.SplitHostPort(upstream)
		if err != nil {
			return rule, fmt.Errorf("%w: the API's address %s has no port", ErrBadPolicy, upstream)
		}
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return rule, fmt.Errorf("%w: the API's address %s has no port by number", ErrBadPolicy, upstream)
		}
		if addr, err := netip.ParseAddr(host); err == nil {
			host = plain(addr).String()
			rule.apis = append(rule.apis, netip.AddrPortFrom(plain(addr), uint16(number)))
		} else {
			rule.names = append(rule.names, newOwnName(host, uint16(number), resolver))
		}
		rule.upstreams[net.JoinHostPort(strings.ToLower(host), port)] = true
	}
	return rule, nil
}

// checkHost refuses a URL's host, in lower case, that is ours by name.
func (r ownRule) checkHost(host string, port uint16) error {
	if len(r.upstreams) > 0 && r.upstreams[net.JoinHostPort(host, strconv.Itoa(int(port)))] {
		return blocked("%s:%d is the API itself", host, port)
	}
	if r.hosts.permits(host) && slices.Contains(r.ports, port) {
		return blocked("%s is where this Caddy serves the API; to permit it: allow self", host)
	}
	return nil
}

// checkAddress refuses an address that is ours.
func (r ownRule) checkAddress(target netip.AddrPort) error {
	target = netip.AddrPortFrom(plain(target.Addr()), target.Port())
	for _, api := range r.apis {
		if api.Port() == target.Port() && r.isAPI(api.Addr(), target.Addr()) {
			return blocked("%s is the API itself; to permit it: allow self", target)
		}
	}
	for _, name := range r.names {
		if name.port != target.Port() {
			continue
		}
		for _, addr := range name.addresses() {
			if r.isAPI(addr, target.Addr()) {
				return blocked("%s is the API itself; to permit it: allow self", target)
			}
		}
	}
	for _, listener := range r.listeners {
		if listener.Port() != target.Port() {
			continue
		}
		if listener.Addr() == target.Addr() || listener.Addr().IsUnspecified() && r.isLocal(target.Addr()) ||
			target.Addr().IsUnspecified() && r.isLocal(listener.Addr()) {
			return blocked("%s is a listener of this Caddy; to permit it: allow self", target)
		}
	}
	return nil
}

// isAPI reports whether an address leads to the API, of which another address is
// known. An API on this machine may listen on all addresses of it.
func (r ownRule) isAPI(known, addr netip.Addr) bool {
	return known == addr || r.isLocal(known) && r.isLocal(addr)
}

// plain returns an address as it is compared: an IPv4 address within IPv6 as
// itself, and without a zone.
func plain(addr netip.Addr) netip.Addr {
	return addr.Unmap().WithZone("")
}

// isLocal reports whether an address is this machine's.
func (r ownRule) isLocal(addr netip.Addr) bool {
	if addr.IsLoopback() || addr.IsUnspecified() {
		return true
	}
	locals, err := r.local()
	// If our addresses are unknown, any address may be ours.
	return err != nil || slices.Contains(locals, addr)
}

// interfaceAddresses returns the addresses of this machine's interfaces. They
// may change at any time, so they are read at every dial to a port of ours;
// other dials do not come here.
func interfaceAddresses() ([]netip.Addr, error) {
	networks, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	addrs := make([]netip.Addr, 0, len(networks))
	for _, network := range networks {
		if prefix, err := netip.ParsePrefix(network.String()); err == nil {
			addrs = append(addrs, prefix.Addr().Unmap().WithZone(""))
		}
	}
	return addrs, nil
}
