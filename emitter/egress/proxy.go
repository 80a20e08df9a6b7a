// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"time"
)

const (
	// maxProxyAnswer limits what a proxy may send before a tunnel is open, in
	// bytes.
	maxProxyAnswer = 16 << 10
	// maxTunnels is how many of a receiver's addresses are tried, one after the
	// other.
	maxTunnels = 3
)

// proxy opens tunnels through an HTTP proxy, with CONNECT.
//
// A proxy that gets a name looks it up by itself, and nobody checks the result.
// So names are looked up here, and the proxy gets an address that the policy
// permits.
type proxy struct {
	address       string
	authorization string
	tls           *tls.Config // nil for a proxy without TLS
	rules         compiled
	dialer        *net.Dialer
}

func newProxy(text string, dialer *net.Dialer, rules compiled, roots *x509.CertPool) (*proxy, error) {
	u, err := url.Parse(text)
	// The text is not shown: it may hold credentials.
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Path != "" && u.Path != "/" {
		return nil, fmt.Errorf("%w: the proxy is not given as http://HOST:PORT or https://HOST:PORT, with USER:PASSWORD@ before the host where it asks for them", ErrBadPolicy)
	}
	port := effectivePort(u)
	if port == 0 {
		return nil, fmt.Errorf("%w: the proxy's port is not between 1 and 65535", ErrBadPolicy)
	}
	p := &proxy{address: net.JoinHostPort(u.Hostname(), strconv.Itoa(int(port))), rules: rules, dialer: dialer}
	if u.User != nil {
		password, _ := u.User.Password()
		p.authorization = "Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password))
	}
	if u.Scheme == "https" {
		p.tls = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: u.Hostname()}
	}
	return p, nil
}

// dial returns a tunnel to a receiver.
func (p *proxy) dial(ctx context.Context, _, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	targets, err := p.resolve(ctx, address)
	if err != nil {
		return nil, err
	}
	for _, target := range targets {
		var conn net.Conn
		if conn, err = p.tunnel(ctx, target); err == nil {
			return conn, nil
		}
		if errors.Is(err, ErrProxy) || ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// resolve looks up a receiver and returns the addresses that the policy
// permits, or why there is none.
func (p *proxy) resolve(ctx context.Context, address string) ([]netip.AddrPort, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, blocked("the port to dial is not known")
	}
	var addrs []netip.Addr
	if literal, err := netip.ParseAddr(host); err == nil {
		addrs = []netip.Addr{literal}
	} else {
		resolver := p.dialer.Resolver
		if resolver == nil {
			resolver = net.DefaultResolver
		}
		if addrs, err = resolver.LookupNetIP(ctx, "ip", host); err != nil {
			return nil, err
		}
	}
	var permitted []netip.AddrPort
	var refused error
	for _, addr := range addrs {
		target := netip.AddrPortFrom(addr.Unmap(), uint16(port))
		switch err := p.rules.checkAddress(target); {
		case err == nil && len(permitted) < maxTunnels:
			permitted = append(permitted, target)
		case err != nil && refused == nil:
			refused = err
		}
	}
	if len(permitted) == 0 {
		return nil, refused
	}
	return permitted, nil
}

// tunnel connects to the proxy and requests a tunnel to an address.
func (p *proxy) tunnel(ctx context.Context, target netip.AddrPort) (net.Conn, error) {
	conn, err := p.dialer.DialContext(ctx, "tcp", p.address)
	if err != nil {
		return nil, proxyFailed("connecting to it", err)
	}
	// Whatever blocks from here on ends with the context.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	opened, err := p.open(ctx, conn, target)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	if !stop() {
		_ = conn.Close()
		return nil, proxyFailed("opening a tunnel", ctx.Err())
	}
	return opened, nil
}

// open turns a connection to the proxy into a tunnel.
func (p *proxy) open(ctx context.Context, conn net.Conn, target netip.AddrPort) (net.Conn, error) {
	if p.tls != nil {
		secured := tls.Client(conn, p.tls)
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, proxyFailed("its TLS handshake", err)
		}
		conn = secured
	}
	request := "CONNECT " + target.String() + " HTTP/1.1\r\nHost: " + target.String() + "\r\n"
	if p.authorization != "" {
		request += "Proxy-Authorization: " + p.authorization + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		return nil, proxyFailed("asking for a tunnel", err)
	}
	reader := bufio.NewReader(io.LimitReader(conn, maxProxyAnswer))
	response, err := http.ReadResponse(reader, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return nil, proxyFailed("reading its answer", err)
	}
	_ = response.Body.Close()
	switch code := response.StatusCode; {
	case code == http.StatusOK && reader.Buffered() == 0:
		return conn, nil
	case code == http.StatusOK:
		return nil, &ProxyError{Reason: "it sent more than an answer"}
	case code == http.StatusBadGateway, code == http.StatusGatewayTimeout:
		return nil, &ProxyError{Reason: fmt.Sprintf("it could not reach the receiver (%d)", code), Receiver: true}
	case code == http.StatusProxyAuthRequired, code == http.StatusUnauthorized:
		return nil, &ProxyError{Reason: fmt.Sprintf("it refused our credentials (%d)", code)}
	default:
		return nil, &ProxyError{Reason: fmt.Sprintf("it refused the tunnel (%d)", code)}
	}
}

// proxyFailed describes in our own words how the proxy failed.
func proxyFailed(doing string, err error) error {
	var timeout net.Error
	var name *net.DNSError
	words := "failed"
	switch {
	case errors.As(err, &name):
		words = "failed: its name cannot be resolved"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		words = "timed out"
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, syscall.ECONNREFUSED):
		words = "failed: connection refused"
	case errors.Is(err, syscall.ECONNRESET):
		words = "failed: it reset the connection"
	}
	return &ProxyError{Reason: doing + " " + words}
}
