// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// forTrying permits what tests need: receivers on loopback, without TLS.
func forTrying(more ...string) Policy {
	return Policy{AllowHTTP: true, AllowNetworks: networks(append([]string{"127.0.0.1/32"}, more...)...)}
}

// receiver counts the requests that reach it.
type receiver struct {
	*httptest.Server
	requests    atomic.Int64
	connections atomic.Int64
}

// newReceiver serves on an address of loopback; port 0 is any.
func newReceiver(t testing.TB, addr netip.AddrPort, handler http.HandlerFunc) *receiver {
	t.Helper()
	listener, err := net.Listen("tcp", addr.String())
	if err != nil {
		t.Skipf("%s cannot be listened on here: %v", addr, err)
	}
	r := &receiver{}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.requests.Add(1)
		handler(w, request)
	}))
	r.Listener.Close()
	r.Listener = listener
	r.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			r.connections.Add(1)
		}
	}
	r.Start()
	t.Cleanup(r.Close)
	return r
}

func anyPort(addr string) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(addr), 0)
}

func noContent(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

// post sends one request, reads the answer to its end and returns its status.
func post(t testing.TB, transport http.RoundTripper, to string) (int, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0, err
	}
	return response.StatusCode, nil
}

// TestRebinding has a name resolve to a permitted address the first time, and
// to another one ever after.
func TestRebinding(t *testing.T) {
	permitted := newReceiver(t, anyPort("127.0.0.1"), noContent)
	port := netip.MustParseAddrPort(permitted.Listener.Addr().String()).Port()
	inner := newReceiver(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), port), noContent)

	server := &nameServer{answers: [][]netip.Addr{{netip.MustParseAddr("127.0.0.1")}, {netip.MustParseAddr("127.0.0.2")}}}
	transport := newTransport(t, forTrying(), Options{Resolver: server.resolver(t)})
	to := (&url.URL{Scheme: "http", Host: net.JoinHostPort("rebind.example", portOf(permitted))}).String()
	if err := transport.CheckURL(to); err != nil {
		t.Fatal(err)
	}
	if code, err := post(t, transport, to); code != http.StatusNoContent || err != nil {
		t.Fatalf("the permitted address: %d, %v", code, err)
	}
	transport.Close()
	if _, err := post(t, transport, to); !errors.Is(err, ErrBlocked) || !strings.Contains(err.Error(), "127.0.0.2") {
		t.Errorf("the other address: %v", err)
	}
	if n := inner.requests.Load(); n != 0 {
		t.Errorf("%d requests reached the other address", n)
	}
}

// TestMixedAnswers has a name resolve to a blocked address and, after it, a
// permitted one.
func TestMixedAnswers(t *testing.T) {
	permitted := newReceiver(t, anyPort("127.0.0.1"), noContent)
	port := netip.MustParseAddrPort(permitted.Listener.Addr().String()).Port()
	inner := newReceiver(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), port), noContent)

	server := &nameServer{answers: [][]netip.Addr{{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")}}}
	transport := newTransport(t, forTrying(), Options{Resolver: server.resolver(t)})
	code, err := post(t, transport, "http://mixed.example:"+portOf(permitted))
	if code != http.StatusNoContent || err != nil {
		t.Errorf("got %d, %v", code, err)
	}
	if permitted.requests.Load() != 1 || inner.requests.Load() != 0 {
		t.Errorf("%d requests reached the permitted address, %d the other", permitted.requests.Load(), inner.requests.Load())
	}
}

func portOf(r *receiver) string {
	_, port, _ := net.SplitHostPort(r.Listener.Addr().String())
	return port
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	target := newReceiver(t, anyPort("127.0.0.1"), noContent)
	for _, code := range []int{301, 302, 303, 307, 308} {
		source := newReceiver(t, anyPort("127.0.0.1"), func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, target.URL, code)
		})
		got, err := post(t, newTransport(t, forTrying(), Options{}), source.URL)
		if got != code || err != nil {
			t.Errorf("%d: got %d, %v", code, got, err)
		}
	}
	if n := target.requests.Load(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

// TestRoundTripChecksAgain sends to URLs that were never checked, like a URL
// that was accepted before the policy became stricter.
func TestRoundTripChecksAgain(t *testing.T) {
	there := newReceiver(t, anyPort("127.0.0.1"), noContent)
	for _, test := range []struct {
		name   string
		policy Policy
		want   string
	}{
		{"without TLS", Policy{AllowNetworks: networks("127.0.0.1/32")}, "allow http"},
		{"not an only host", Policy{AllowHTTP: true, AllowNetworks: networks("127.0.0.1/32"), OnlyHosts: []string{"a.example"}}, "only host"},
		{"a blocked address", Policy{AllowHTTP: true}, "127.0.0.1 is not a public address"},
	} {
		_, err := post(t, newTransport(t, test.policy, Options{}), there.URL+"/canary?canary")
		if !errors.Is(err, ErrBlocked) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
	if n := there.requests.Load(); n != 0 {
		t.Errorf("%d requests came through", n)
	}
}

func TestProxiesOfTheEnvironmentAreIgnored(t *testing.T) {
	// The standard library reads the environment only once, so all that can be
	// shown is that nothing ever reads it.
	if newTransport(t, Policy{}, Options{}).base.Proxy != nil {
		t.Error("there is a proxy, and the address behind it would not be checked")
	}
}

func TestFrom(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has more than one address on loopback")
	}
	var from atomic.Value
	there := newReceiver(t, anyPort("127.0.0.1"), func(_ http.ResponseWriter, r *http.Request) { from.Store(r.RemoteAddr) })
	policy := forTrying()
	policy.From = []netip.Addr{netip.MustParseAddr("127.0.0.5")}
	if code, err := post(t, newTransport(t, policy, Options{}), there.URL); code != http.StatusOK || err != nil {
		t.Fatalf("got %d, %v", code, err)
	}
	if got := from.Load().(string); !strings.HasPrefix(got, "127.0.0.5:") {
		t.Errorf("the receiver saw %s", got)
	}
}

// TestConnectionsAreReused posts rounds of many requests at once: only the
// first may need new connections.
func TestConnectionsAreReused(t *testing.T) {
	const parallel, rounds = 64, 4
	var arrived sync.WaitGroup
	there := newReceiver(t, anyPort("127.0.0.1"), func(w http.ResponseWriter, _ *http.Request) {
		// Wait until all requests are here, so that each needs its own
		// connection.
		arrived.Done()
		arrived.Wait()
		w.WriteHeader(http.StatusNoContent)
	})
	transport := newTransport(t, forTrying(), Options{})
	for range rounds {
		arrived.Add(parallel)
		var group sync.WaitGroup
		for range parallel {
			group.Go(func() {
				if _, err := post(t, transport, there.URL); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	// A connection may still be on its way back when the next round begins.
	if n := there.connections.Load(); n > 2*parallel {
		t.Errorf("%d connections for %d requests at once", n, parallel)
	}
}

func newTLSReceiver(t testing.TB, configure func(*httptest.Server)) (*httptest.Server, *x509.CertPool) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Proto", r.Proto)
	}))
	// Handshakes fail on purpose.
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	configure(server)
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return server, roots
}

func TestHTTP2(t *testing.T) {
	server, roots := newTLSReceiver(t, func(s *httptest.Server) { s.EnableHTTP2 = true })
	transport := newTransport(t, forTrying(), Options{RootCAs: roots})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Header.Get("Proto"); got != "HTTP/2.0" {
		t.Errorf("got %s", got)
	}
}

func TestTLS(t *testing.T) {
	server, roots := newTLSReceiver(t, func(*httptest.Server) {})
	if _, err := post(t, newTransport(t, forTrying(), Options{}), server.URL); err == nil {
		t.Error("a certificate that nobody signed was accepted")
	}
	if _, err := post(t, newTransport(t, forTrying(), Options{RootCAs: roots}), server.URL); err != nil {
		t.Errorf("with the receiver's authority: %v", err)
	}
	// An old receiver must be refused.
	old, roots := newTLSReceiver(t, func(s *httptest.Server) {
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	})
	if _, err := post(t, newTransport(t, forTrying(), Options{RootCAs: roots}), old.URL); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
}

// TestSwitchingProtocols has a receiver switch to a protocol that nobody
// requested. What follows comes over a connection without a timeout: once, an
// attempt waited there for ever.
func TestSwitchingProtocols(t *testing.T) {
	closed := make(chan struct{})
	there := newReceiver(t, anyPort("127.0.0.1"), func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nx")
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
		close(closed)
	})
	if code, err := post(t, newTransport(t, forTrying(), Options{}), there.URL); code != http.StatusSwitchingProtocols || err != nil {
		t.Errorf("got %d, %v", code, err)
	}
	<-closed
}

func TestAnswersAreBounded(t *testing.T) {
	there := newReceiver(t, anyPort("127.0.0.1"), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Huge", string(bytes.Repeat([]byte("h"), maxHeaderBytes)))
	})
	if _, err := post(t, newTransport(t, forTrying(), Options{}), there.URL); err == nil {
		t.Error("headers beyond the limit were accepted")
	}
	zipped := newReceiver(t, anyPort("127.0.0.1"), func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	if code, err := post(t, newTransport(t, forTrying(), Options{}), zipped.URL); code != http.StatusOK || err != nil {
		t.Errorf("compression was asked for: %d, %v", code, err)
	}
}
