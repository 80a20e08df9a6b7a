// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
)

// refuseSelf makes the egress policy refuse addresses of this Caddy: its
// listeners and admin endpoints, the hosts under which it serves the API, and the
// API itself. That is known only when all apps are provisioned, so it is done on
// starting.
func (a *App) refuseSelf() error {
	own, err := a.self()
	if err != nil {
		return err
	}
	policy := a.policy
	policy.Own = own
	transport, err := egress.New(policy, egress.Options{})
	if err != nil {
		return fmt.Errorf("egress: %w", err)
	}
	for e := range a.endpoints.All() {
		if err := transport.CheckURL(e.URL); err != nil {
			return fmt.Errorf("endpoint %s: %w", e.Name, err)
		}
	}
	a.policy = policy
	a.transport.Store(transport)
	return nil
}

// self returns the addresses of this Caddy, in an order that is always the same:
// a policy that only looks different would cost all connections at a reload.
func (a *App) self() (egress.Own, error) {
	var own egress.Own
	for _, address := range adminAddresses(a.ctx) {
		// Caddy does not listen at an address that it could not fill in.
		addListener(&own, caddy.NewReplacer().ReplaceAll(address, ""))
	}
	for _, h := range a.handlers {
		own.Upstreams = append(own.Upstreams, upstreamAddresses(h.declared)...)
	}
	if app, err := a.ctx.AppIfConfigured("http"); err == nil {
		for _, server := range app.(*caddyhttp.App).Servers {
			for _, address := range server.Listen {
				addListener(&own, address)
			}
			own.Hosts = append(own.Hosts, servedHosts(server.Routes)...)
		}
	}
	slices.SortFunc(own.Listeners, netip.AddrPort.Compare)
	slices.Sort(own.Hosts)
	slices.Sort(own.Upstreams)
	own.Listeners, own.Hosts, own.Upstreams = slices.Compact(own.Listeners), slices.Compact(own.Hosts), slices.Compact(own.Upstreams)
	return own, nil
}

// addListener adds the addresses of a listener as Caddy writes them. A delivery
// cannot reach a listener that has no TCP port.
func addListener(own *egress.Own, text string) {
	address, err := caddy.ParseNetworkAddress(text)
	if err != nil || !strings.HasPrefix(address.Network, "tcp") {
		return
	}
	hosts := []netip.Addr{netip.IPv4Unspecified()}
	if address.Host == "localhost" {
		hosts = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	} else if addr, err := netip.ParseAddr(address.Host); err == nil {
		hosts = []netip.Addr{addr.WithZone("")}
	}
	for port := address.StartPort; port <= address.EndPort && port != 0; port++ {
		for _, host := range hosts {
			own.Listeners = append(own.Listeners, netip.AddrPortFrom(host, uint16(port)))
		}
	}
}

// servedHosts returns the hosts of the routes that have a webhooks handler.
func servedHosts(routes caddyhttp.RouteList) (served []string) {
	eachHandler(routes, nil, func(_ *Handler, hosts []string) { served = append(served, hosts...) })
	return served
}

// eachHandler calls visit for each webhooks handler of some routes, with the hosts
// that their matchers name: an inner matcher narrows an outer one.
func eachHandler(routes caddyhttp.RouteList, outer []string, visit func(h *Handler, hosts []string)) {
	for _, route := range routes {
		hosts := matchedHosts(route.MatcherSets)
		if len(hosts) == 0 {
			hosts = outer
		}
		for _, handler := range route.Handlers {
			switch handler := handler.(type) {
			case *Handler:
				visit(handler, hosts)
			case *caddyhttp.Subroute:
				eachHandler(handler.Routes, hosts, visit)
			}
		}
	}
}

// matchedHosts returns the hosts that a route's matchers name, as far as they
// are names, addresses or "*.example.com".
func matchedHosts(sets caddyhttp.MatcherSets) []string {
	var hosts []string
	add := func(matched caddyhttp.MatchHost) {
		for _, host := range matched {
			name := strings.TrimPrefix(host, "*.")
			if !strings.ContainsAny(name, "*{") && name != "" {
				hosts = append(hosts, strings.ToLower(host))
			}
		}
	}
	for _, set := range sets {
		for _, matcher := range set {
			switch matcher := matcher.(type) {
			case caddyhttp.MatchHost:
				add(matcher)
			case *caddyhttp.MatchHost:
				add(*matcher)
			}
		}
	}
	return hosts
}

// upstreamAddresses returns where a handler reads Shows, as far as its
// configuration names TCP addresses. Those that a request decides, or a SRV
// record, are not among them.
func upstreamAddresses(declared []byte) []string {
	var handler struct {
		Upstream struct {
			Upstreams []struct {
				Dial string `json:"dial"`
			} `json:"upstreams"`
			Dynamic struct {
				Source string `json:"source"`
				Name   string `json:"name"`
				Port   string `json:"port"`
			} `json:"dynamic_upstreams"`
		} `json:"upstream"`
	}
	if json.Unmarshal(declared, &handler) != nil {
		return nil
	}
	var dials, addresses []string
	for _, upstream := range handler.Upstream.Upstreams {
		dials = append(dials, upstream.Dial)
	}
	if dynamic := handler.Upstream.Dynamic; dynamic.Source == "a" {
		port := dynamic.Port
		if port == "" {
			port = "80" // as the proxy has it
		}
		dials = append(dials, net.JoinHostPort(dynamic.Name, port))
	}
	for _, dial := range dials {
		// Of placeholders, those of the environment are known already.
		dial = caddy.NewReplacer().ReplaceKnown(dial, "")
		address, err := caddy.ParseNetworkAddress(dial)
		if err != nil || !strings.HasPrefix(address.Network, "tcp") || strings.Contains(dial, "{") || address.StartPort == 0 {
			continue
		}
		hosts := []string{address.Host}
		if addr, err := netip.ParseAddr(address.Host); err == nil && addr.IsUnspecified() || address.Host == "" || address.Host == "localhost" {
			hosts = []string{"localhost", "127.0.0.1", "::1"}
		}
		for _, host := range hosts {
			addresses = append(addresses, net.JoinHostPort(host, fmt.Sprint(address.StartPort)))
		}
	}
	return addresses
}

// adminAddresses returns where the admin endpoint of a configuration listens,
// the remote one too, as the configuration writes it.
//
// Caddy gives a module no other way to learn it: a context does not export its
// configuration, although all fields that are read here are exported. So they are
// read by reflection, which changes nothing. Should Caddy keep the configuration
// elsewhere one day, reflection finds nothing, and only the default address is
// known.
func adminAddresses(ctx caddy.Context) []string {
	addresses := []string{caddy.DefaultAdminListen}
	admin := member(member(reflect.ValueOf(ctx), "cfg"), "Admin")
	if disabled := member(admin, "Disabled"); disabled.Kind() == reflect.Bool && !disabled.Bool() {
		if listen := member(admin, "Listen"); listen.Kind() == reflect.String && listen.String() != "" {
			addresses = append(addresses, listen.String())
		}
	}
	remote := member(admin, "Remote")
	if listen := member(remote, "Listen"); listen.Kind() == reflect.String {
		address := listen.String()
		if address == "" {
			address = caddy.DefaultRemoteAdminListen
		}
		addresses = append(addresses, address)
	}
	return addresses
}

// member returns a field of a struct, or of one that is pointed to; the zero
// Value if there is none.
func member(of reflect.Value, name string) reflect.Value {
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return of.FieldByName(name)
}
