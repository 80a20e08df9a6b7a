// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Limits of connections to receivers.
const (
	// dialTimeout ends a dial that nobody waits for any more: the standard
	// transport continues to dial after a request has given up.
	dialTimeout         = 10 * time.Second
	tlsTimeout          = 10 * time.Second
	maxHeaderBytes      = 64 << 10
	maxIdle             = 1024
	idleTimeout         = 90 * time.Second
	pingIdleAfter       = 15 * time.Second
	pingTimeout         = 5 * time.Second
	keepAliveIdle       = 30 * time.Second
	keepAliveInterval   = 10 * time.Second
	keepAliveProbeCount = 3
)

// Options holds a Transport's dependencies. The zero value uses the system's.
type Options struct {
	// Resolver looks up names.
	Resolver *net.Resolver
	// RootCAs are the authorities that must have signed the certificates of
	// receivers, and of an egress proxy.
	RootCAs *x509.CertPool
	// LocalAddresses returns the addresses of this machine, by which a listener
	// on all of them is recognised. Default: those of its interfaces.
	LocalAddresses func() ([]netip.Addr, error)
}

// Transport carries requests to receivers. Whether an address may be reached is
// decided at the dial, on the address itself: a private address is refused even
// if its name resolved to a public one a moment ago.
//
// It follows no redirects, and uses no proxy but the policy's, whatever the
// environment says. An [http.Client] around it must not follow redirects
// either.
type Transport struct {
	rules compiled
	base  *http.Transport
	proxy *proxy
	// from is the source address, and others are the transports of the other ones.
	from   netip.Addr
	others []*Transport

	mu sync.Mutex
	// variants are the transports of receivers with their own TLS settings.
	variants map[*TLS]*Transport
}

// New returns a transport that enforces a policy, or [ErrBadPolicy].
func New(policy Policy, options Options) (*Transport, error) {
	rules, err := policy.compile(options.Resolver)
	if err != nil {
		return nil, err
	}
	if options.LocalAddresses != nil {
		rules.own.local = options.LocalAddresses
	}
	sources, err := policy.sources()
	if err != nil {
		return nil, err
	}
	if len(sources) == 0 {
		sources = []netip.Addr{{}}
	}
	all := make([]*Transport, len(sources))
	for i, from := range sources {
		if all[i], err = newSource(policy, rules, options, from); err != nil {
			return nil, err
		}
	}
	all[0].others = all[1:]
	return all[0], nil
}

// newSource returns the transport of one source address.
func newSource(policy Policy, rules compiled, options Options, from netip.Addr) (*Transport, error) {
	t := &Transport{rules: rules, from: from, variants: map[*TLS]*Transport{}}
	dialer := &net.Dialer{
		Timeout:  dialTimeout,
		Resolver: options.Resolver,
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: keepAliveIdle, Interval: keepAliveInterval, Count: keepAliveProbeCount,
		},
	}
	if from.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	dial := dialer.DialContext
	var err error
	if policy.Proxy != "" {
		// The dialer only connects to the operator's own proxy; the addresses
		// of receivers are checked before the proxy gets them.
		if t.proxy, err = newProxy(policy.Proxy, dialer, rules, options.RootCAs); err != nil {
			return nil, err
		}
		dial = t.proxy.dial
	} else {
		dialer.Control = t.control
	}
	t.base = newBase(dial, &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: options.RootCAs})
	return t, nil
}

// newBase returns a transport with the limits of this package.
func newBase(dial func(ctx context.Context, network, address string) (net.Conn, error), config *tls.Config) *http.Transport {
	return &http.Transport{
		DialContext:         dial,
		TLSClientConfig:     config,
		TLSHandshakeTimeout: tlsTimeout,
		// A custom dialer would turn HTTP/2 off.
		ForceAttemptHTTP2: true,
		// A small answer must not unfold into a large one.
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeaderBytes,
		// Many endpoints may be on one host, so one host may use all idle
		// connections.
		MaxIdleConns:        maxIdle,
		MaxIdleConnsPerHost: maxIdle,
		IdleConnTimeout:     idleTimeout,
		// All requests to a receiver share one HTTP/2 connection: if it is
		// dead, they must not all wait for the kernel to notice.
		HTTP2: &http.HTTP2Config{SendPingTimeout: pingIdleAfter, PingTimeout: pingTimeout},
	}
}

// CheckURL returns why nothing may be sent to a URL, as far as that is known
// without the network: [ErrBadURL] or [ErrBlocked]. A URL that passes may still
// be refused at the dial.
func (t *Transport) CheckURL(raw string) error {
	return t.rules.checkURL(raw)
}

// RoundTrip sends one request. It fails with [ErrBlocked] if the policy does
// not permit it.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := t.rules.checkRequest(request.URL); err != nil {
		if request.Body != nil {
			_ = request.Body.Close()
		}
		return nil, err
	}
	response, err := t.base.RoundTrip(request)
	if err == nil && response.StatusCode == http.StatusSwitchingProtocols {
		// The body would be the bare connection, which no context ends: reading
		// it could last for ever. Nobody requested another protocol.
		_ = response.Body.Close()
		response.Body = http.NoBody
	}
	return response, err
}

// Close closes the idle connections. Requests under way are not disturbed. It
// may be called more than once.
func (t *Transport) Close() {
	t.base.CloseIdleConnections()
	for _, other := range t.others {
		other.Close()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, variant := range t.variants {
		variant.Close()
	}
}

// CloseIdleConnections is Close under the name that [http.Client] uses.
func (t *Transport) CloseIdleConnections() {
	t.Close()
}

// control checks every address right before the connection, after name
// resolution.
func (t *Transport) control(network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return blocked("a connection by %s", network)
	}
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return blocked("the address to dial is not known")
	}
	return t.rules.checkAddress(target)
}
