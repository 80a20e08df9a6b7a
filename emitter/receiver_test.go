// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

// shortTimeout is that of attempts that are meant to time out, longTimeout that
// of others: an attempt that reaches it has hung.
const (
	shortTimeout = 300 * time.Millisecond
	longTimeout  = 30 * time.Second
)

// recordings is a queue that passes on what is recorded.
type recordings struct {
	queue.Deliveries
	made chan queue.Attempt
}

func (r recordings) FinishAttempt(ctx context.Context, lease queue.DeliveryLease, attempt queue.Attempt, verdict queue.Verdict) error {
	err := r.Deliveries.FinishAttempt(ctx, lease, attempt, verdict)
	r.made <- attempt
	return err
}

// loopback permits receivers on this machine.
var loopback = egress.Policy{AllowHTTP: true, AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}

func newTransport(t testing.TB, policy egress.Policy, options egress.Options) *egress.Transport {
	t.Helper()
	transport, err := egress.New(policy, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.Close)
	return transport
}

// deliverOnce delivers an event to a URL over real sockets, once, and returns
// what was recorded and logged.
func deliverOnce(t *testing.T, transport http.RoundTripper, url string, timeout time.Duration) (queue.Attempt, string) {
	t.Helper()
	logger, logs := observer.New(zapcore.DebugLevel)
	store := memory.New(time.Now)
	queued := recordings{store, make(chan queue.Attempt, 1)}
	emitter := New(queued, Options{Logger: zap.New(logger)})
	target := newTarget(t, "erp", transport)
	target.Endpoint.URL, target.Endpoint.Timeout = url+"/canary-path?canary=query", timeout
	target.Endpoint.Schedule = []time.Duration{}
	if err := emitter.Apply([]Target{target}); err != nil {
		t.Fatal(err)
	}
	newPublisher(store).publish(t, "1", []string{"erp"}, nil)
	attempt := <-queued.made
	emitter.Stop(context.Background())
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	for _, entry := range logs.All() {
		fmt.Fprintln(&logged, entry.Message, entry.ContextMap())
	}
	return attempt, logged.String()
}

// serve answers connections with a function, until the test ends.
func serve(t *testing.T, answer func(conn net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			answer(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-ended
	})
	return "http://" + listener.Addr().String()
}

// readRequest reads a request up to the end of its body.
func readRequest(conn net.Conn) {
	buffer := make([]byte, 8<<10)
	var all []byte
	for !bytes.HasSuffix(all, []byte("}")) {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		all = append(all, buffer[:n]...)
	}
}

// untilClosed waits for the other side to close.
func untilClosed(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// raw answers with some bytes and then with what follows.
func raw(text string, then func(net.Conn)) func(net.Conn) {
	return func(conn net.Conn) {
		readRequest(conn)
		_, _ = io.WriteString(conn, text)
		then(conn)
	}
}

func closing(net.Conn) {}

func resetting(conn net.Conn) { _ = conn.(*net.TCPConn).SetLinger(0) }

// TestBadReceivers has receivers misbehave in every way, over real sockets.
func TestBadReceivers(t *testing.T) {
	endless := func(text string) func(net.Conn) {
		return func(conn net.Conn) {
			for {
				if _, err := io.WriteString(conn, text); err != nil {
					return
				}
			}
		}
	}
	refused := serve(t, closing)
	for _, test := range []struct {
		name   string
		answer func(net.Conn)
		code   int
		error  string
		// slow attempts take the whole timeout.
		slow bool
	}{
		{"hangs before the answer", untilClosed, 0, "timed out before an answer came", true},
		{"hangs within the headers", raw("HTTP/1.1 200 OK\r\nA: b", untilClosed), 0, "timed out before an answer came", true},
		{"hangs within the body", raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", untilClosed), 200, "timed out before the answer was complete", true},
		{"drips a body", raw("HTTP/1.1 200 OK\r\n\r\n", func(conn net.Conn) {
			ticker := time.NewTicker(10 * time.Millisecond)
			defer ticker.Stop()
			for range ticker.C {
				if _, err := io.WriteString(conn, "x"); err != nil {
					return
				}
			}
		}), 200, "timed out before the answer was complete", true},
		{"endless body of a success", raw("HTTP/1.1 200 OK\r\n\r\n", endless(strings.Repeat("x", 4096))), 200, "", false},
		{"endless body of a failure", raw("HTTP/1.1 500 Oops\r\n\r\n", endless(strings.Repeat("x", 4096))), 500, "answered 500 Internal Server Error", false},
		{"endless headers", raw("HTTP/1.1 200 OK\r\n", endless("A: "+strings.Repeat("x", 4096)+"\r\n")), 0, "the answer's headers are too large", false},
		{"endless interim answers", raw("", endless("HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n")), 0, "the answer's headers are too large", false},
		{"closes without an answer", raw("", closing), 0, "the receiver closed the connection without an answer", false},
		{"closes within the body", raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", closing), 200, "the answer broke off", false},
		{"resets without an answer", raw("", resetting), 0, "the receiver reset the connection", false},
		{"resets within the body", raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", resetting), 200, "the receiver reset the connection before the answer was complete", false},
		{"does not speak HTTP", raw("220 canary ESMTP\r\n", untilClosed), 0, "the answer is not valid HTTP", false},
		{"redirects", raw("HTTP/1.1 302 Found\r\nLocation: "+refused+"\r\nContent-Length: 0\r\n\r\n", closing), 302, "answered 302 Found; redirects are not followed", false},
		{"not modified", raw("HTTP/1.1 304 Not Modified\r\n\r\n", closing), 304, "answered 304 Not Modified; redirects are not followed", false},
		{"an odd status", raw("HTTP/1.1 799 Canary\r\nContent-Length: 0\r\n\r\n", closing), 799, "answered 799", false},
		{"no content", raw("HTTP/1.1 204 No Content\r\n\r\n", closing), 204, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			timeout := longTimeout
			if test.slow {
				timeout = shortTimeout
			}
			attempt, logged := deliverOnce(t, newTransport(t, loopback, egress.Options{}), serve(t, test.answer), timeout)
			checkAttempt(t, attempt, logged, test.code, test.error)
			if test.slow && attempt.Duration < shortTimeout {
				t.Errorf("it took only %s", attempt.Duration)
			}
		})
	}
}

func checkAttempt(t *testing.T, attempt queue.Attempt, logged string, code int, words string) {
	t.Helper()
	if attempt.Code != code || attempt.Error != words {
		t.Errorf("recorded %d, %q, want %d, %q", attempt.Code, attempt.Error, code, words)
	}
	if attempt.Duration > shortTimeout+5*time.Second {
		t.Errorf("it took %s", attempt.Duration)
	}
	if len(attempt.Response) > keptAnswer {
		t.Errorf("%d bytes of the answer were kept", len(attempt.Response))
	}
	if strings.Contains(strings.ToLower(attempt.Error+logged), "canary") {
		t.Errorf("the URL's path, its query or the answer show: %s %s", attempt.Error, logged)
	}
	if !strings.Contains(logged, "evt_1_1") {
		t.Errorf("nothing was logged: %s", logged)
	}
}

// TestUnreachableReceivers are those to which no connection can be made.
func TestUnreachableReceivers(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	plain := serve(t, func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n") })
	silent := serve(t, untilClosed)

	untrusted, _ := tlsServer(t, []string{"127.0.0.1"}, time.Hour)
	misnamed, misnamedRoots := tlsServer(t, []string{"crm.example"}, time.Hour)
	expired, expiredRoots := tlsServer(t, []string{"127.0.0.1"}, -time.Hour)
	picky, pickyRoots := tlsServer(t, []string{"127.0.0.1"}, time.Hour, func(config *tls.Config) { config.ClientAuth = tls.RequireAnyClientCert })

	nowhere := egress.Options{Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, net.ErrClosed
	}}}
	for _, test := range []struct {
		name    string
		policy  egress.Policy
		options egress.Options
		url     string
		error   string
	}{
		{"nobody listens", loopback, egress.Options{}, closed.URL, "connection refused"},
		{
			"an address that is not permitted",
			egress.Policy{AllowHTTP: true},
			egress.Options{},
			closed.URL,
			"blocked by the egress policy: 127.0.0.1 is not a public address; to permit it: allow network 127.0.0.1/32",
		},
		{
			"http that is not permitted",
			egress.Policy{AllowNetworks: loopback.AllowNetworks},
			egress.Options{},
			closed.URL,
			"blocked by the egress policy: a receiver without TLS; use https, or permit it: allow http",
		},
		{"no name server", loopback, nowhere, "http://erp.example.com", "DNS: looking up erp.example.com failed"},
		{"no TLS", loopback, egress.Options{}, strings.Replace(plain, "http:", "https:", 1), "TLS: the receiver does not speak it on this port"},
		{"TLS that hangs", loopback, egress.Options{}, strings.Replace(silent, "http:", "https:", 1), "timed out before an answer came"},
		{"unknown authority", loopback, egress.Options{}, untrusted, "TLS: the certificate is signed by an unknown authority"},
		{"certificate of another", loopback, egress.Options{RootCAs: misnamedRoots}, misnamed, "TLS: the certificate is not for 127.0.0.1"},
		{"expired certificate", loopback, egress.Options{RootCAs: expiredRoots}, expired, "TLS: the certificate has expired or is not valid yet"},
		{"asks for our certificate", loopback, egress.Options{RootCAs: pickyRoots}, picky, "TLS: the receiver refused the handshake: certificate required"},
	} {
		t.Run(test.name, func(t *testing.T) {
			attempt, logged := deliverOnce(t, newTransport(t, test.policy, test.options), test.url, shortTimeout)
			checkAttempt(t, attempt, logged, 0, test.error)
		})
	}
}

// tlsServer serves with a certificate for some names that is valid for a time.
func tlsServer(t *testing.T, names []string, validity time.Duration, changes ...func(*tls.Config)) (string, *x509.CertPool) {
	t.Helper()
	certificate, roots := newCertificate(t, names, validity)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	for _, change := range changes {
		change(server.TLS)
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, roots
}

// TestKeptAnswer records the beginning of a long answer, and keeps the
// connection of one that is not too long.
func TestKeptAnswer(t *testing.T) {
	for _, test := range []struct {
		length, kept int
		reused       bool
	}{
		{0, 0, true},
		{1, 1, true},
		{keptAnswer, keptAnswer, true},
		{keptAnswer + 1, keptAnswer, true},
		{readAnswer - 1, keptAnswer, true},
		{2 * readAnswer, keptAnswer, false},
	} {
		t.Run(fmt.Sprint(test.length), func(t *testing.T) {
			var connections atomic.Int64
			body := bytes.Repeat([]byte("b"), test.length)
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
			server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateNew {
					connections.Add(1)
				}
			}
			server.Start()
			t.Cleanup(server.Close)

			transport := newTransport(t, loopback, egress.Options{})
			for range 2 {
				attempt, _ := deliverOnce(t, transport, server.URL, longTimeout)
				if !bytes.Equal(attempt.Response, body[:test.kept]) || attempt.Error != "" {
					t.Errorf("kept %d bytes, want %d; error %q", len(attempt.Response), test.kept, attempt.Error)
				}
			}
			if reused := connections.Load() == 1; reused != test.reused {
				t.Errorf("%d connections", connections.Load())
			}
		})
	}
}

// TestConnectionClosedWhileIdle has a receiver close a connection that is kept
// for the next delivery: it must not cost that delivery an attempt.
func TestConnectionClosedWhileIdle(t *testing.T) {
	answers := 0
	url := serve(t, func(conn net.Conn) {
		answers++
		readRequest(conn)
		_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
		if answers == 1 {
			// Only when the next request has come: nobody could have known.
			readRequest(conn)
		}
	})
	transport := newTransport(t, loopback, egress.Options{})
	for i := range 2 {
		if attempt, _ := deliverOnce(t, transport, url, longTimeout); attempt.Code != http.StatusNoContent {
			t.Errorf("delivery %d: %+v", i+1, attempt)
		}
	}
}

// TestRealReceiverVerifies goes the whole way with a receiver that trusts
// nothing.
func TestRealReceiverVerifies(t *testing.T) {
	verified := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = verifyNow(body, r.Header)
		}
		verified <- err
	}))
	t.Cleanup(server.Close)
	attempt, _ := deliverOnce(t, newTransport(t, loopback, egress.Options{}), server.URL, longTimeout)
	if err := <-verified; err != nil || attempt.Code != http.StatusOK {
		t.Errorf("%v, %+v", err, attempt)
	}
}
