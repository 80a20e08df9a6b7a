// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// tunneller is an HTTP proxy that records its requests.
type tunneller struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
	auth  []string
}

func newTunneller(t *testing.T, start func(*httptest.Server)) *tunneller {
	t.Helper()
	p := &tunneller{}
	var tunnels sync.WaitGroup
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked, p.auth = append(p.asked, r.Method+" "+r.Host), append(p.auth, r.Header.Get("Proxy-Authorization"))
		p.mu.Unlock()
		upstream, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
		tunnels.Go(func() {
			_, _ = io.Copy(upstream, buffered)
			_ = upstream.Close()
		})
		tunnels.Go(func() {
			_, _ = io.Copy(conn, upstream)
			_ = conn.Close()
		})
	}))
	start(p.Server)
	t.Cleanup(func() {
		p.Close()
		tunnels.Wait()
	})
	return p
}

// through permits only the receiver's address; the proxy needs no permission.
func through(proxy string) Policy {
	return Policy{AllowHTTP: true, AllowNetworks: networks("127.0.0.1/32"), Proxy: proxy}
}

func TestProxy(t *testing.T) {
	there := newReceiver(t, anyPort("127.0.0.1"), noContent)
	p := newTunneller(t, (*httptest.Server).Start)
	server := &nameServer{answers: [][]netip.Addr{{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")}}}
	proxy := strings.Replace(p.URL, "//", "//user:pass%20word@", 1)
	transport := newTransport(t, through(proxy), Options{Resolver: server.resolver(t)})
	for range 2 {
		if code, err := post(t, transport, "http://erp.example:"+portOf(there)); code != http.StatusNoContent || err != nil {
			t.Fatalf("got %d, %v", code, err)
		}
	}
	// The proxy gets one request, since the connection is kept. It is for the
	// permitted one of two addresses, not for the name, which the proxy would
	// look up by itself.
	if want := "CONNECT 127.0.0.1:" + portOf(there); len(p.asked) != 1 || p.asked[0] != want {
		t.Errorf("the proxy got %q, want %q", p.asked, want)
	}
	if p.auth[0] != "Basic dXNlcjpwYXNzIHdvcmQ=" {
		t.Errorf("the proxy's credentials were %q", p.auth[0])
	}
}

// TestProxyDoesNotHelp shows that the policy decides before the proxy gets a
// request.
func TestProxyDoesNotHelp(t *testing.T) {
	p := newTunneller(t, (*httptest.Server).Start)
	for name, answers := range map[string][]string{
		"metadata": {"169.254.169.254"}, "private": {"10.0.0.1"}, "mapped": {"::ffff:127.0.0.2"}, "the proxy's neighbour": {"127.0.0.3"},
	} {
		server := &nameServer{answers: [][]netip.Addr{{netip.MustParseAddr(answers[0])}}}
		transport := newTransport(t, through(p.URL), Options{Resolver: server.resolver(t)})
		if _, err := post(t, transport, "http://erp.example"); !errors.Is(err, ErrBlocked) {
			t.Errorf("%s: got %v", name, err)
		}
		if _, err := post(t, transport, "http://"+net.JoinHostPort(answers[0], "80")); !errors.Is(err, ErrBlocked) {
			t.Errorf("%s, as an address: got %v", name, err)
		}
	}
	if len(p.asked) != 0 {
		t.Errorf("the proxy got %q", p.asked)
	}
}

// TestProxyWithTLS uses TLS to the proxy, and within it TLS to the receiver.
func TestProxyWithTLS(t *testing.T) {
	there, roots := newTLSReceiver(t, func(*httptest.Server) {})
	p := newTunneller(t, (*httptest.Server).StartTLS)
	roots.AddCert(p.Certificate())
	if code, err := post(t, newTransport(t, through(p.URL), Options{RootCAs: roots}), there.URL); code != http.StatusOK || err != nil {
		t.Errorf("got %d, %v", code, err)
	}
	_, err := post(t, newTransport(t, through(p.URL), Options{}), there.URL)
	if !errors.Is(err, ErrProxy) || !strings.Contains(err.Error(), "its TLS handshake failed") {
		t.Errorf("a proxy that no authority signed: %v", err)
	}
}

// TestProxyFailures distinguishes failures of the proxy from those of the
// receiver.
func TestProxyFailures(t *testing.T) {
	answering := func(text string) string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var serving sync.WaitGroup
		serving.Go(func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				buffer := make([]byte, 1024)
				_, _ = conn.Read(buffer)
				_, _ = io.WriteString(conn, text)
				if text == "" {
					_, _ = io.Copy(io.Discard, conn)
				}
				_ = conn.Close()
			}
		})
		t.Cleanup(func() {
			_ = listener.Close()
			serving.Wait()
		})
		return "http://user:canary@" + listener.Addr().String()
	}
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for _, test := range []struct {
		name, proxy, want string
		ours              bool
	}{
		{"nobody listens", closed.URL, "egress proxy: connecting to it failed: connection refused", true},
		{"no such name", "http://proxy.example", "egress proxy: connecting to it failed: its name cannot be resolved", true},
		{"wants other credentials", answering("HTTP/1.1 407 No\r\n\r\n"), "egress proxy: it refused our credentials (407)", true},
		{"forbids the receiver", answering("HTTP/1.1 403 No\r\n\r\n"), "egress proxy: it refused the tunnel (403)", true},
		{"is overloaded", answering("HTTP/1.1 503 No\r\n\r\n"), "egress proxy: it refused the tunnel (503)", true},
		{"cannot reach the receiver", answering("HTTP/1.1 502 No\r\n\r\n"), "egress proxy: it could not reach the receiver (502)", false},
		{"gets no answer from the receiver", answering("HTTP/1.1 504 No\r\n\r\n"), "egress proxy: it could not reach the receiver (504)", false},
		{"redirects", answering("HTTP/1.1 302 No\r\nLocation: http://127.0.0.1/\r\n\r\n"), "egress proxy: it refused the tunnel (302)", true},
		{"is no proxy", answering("220 canary ESMTP\r\n"), "egress proxy: reading its answer failed", true},
		{"closes", answering(" "), "egress proxy: reading its answer failed", true},
		{"says more than an answer", answering("HTTP/1.1 200 OK\r\n\r\ncanary"), "egress proxy: it sent more than an answer", true},
		{"endless headers", answering("HTTP/1.1 200 OK\r\nA: " + strings.Repeat("b", 2*maxProxyAnswer)), "egress proxy: reading its answer failed", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := &nameServer{answers: [][]netip.Addr{nil}}
			_, err := post(t, newTransport(t, through(test.proxy), Options{Resolver: server.resolver(t)}), "http://127.0.0.1:9/canary?canary")
			var failed *ProxyError
			if !errors.As(err, &failed) || failed.Error() != test.want || errors.Is(err, ErrProxy) != test.ours || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v, of the proxy's own: %t; want %q", err, errors.Is(err, ErrProxy), test.want)
			}
		})
	}
	t.Run("hangs", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1:9", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newTransport(t, through(answering("")), Options{}).RoundTrip(request); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}
