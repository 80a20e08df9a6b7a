// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"bytes"
	"context"
	"fmt"
	"io"
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

// shortTimeout is the timeout of attempts that should time out, longTimeout
// that of others: an attempt that reaches it has hung.
const (
	shortTimeout = 300 * time.Millisecond
	longTimeout  = 30 * time.Second
)

// recordings is a queue that passes on the attempts it records.
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
// the recorded attempt and the log.
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

// serve serves connections with a function until the test ends.
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

// TestUnreachableReceivers covers receivers to which no connection is even
// tried.
func TestUnreachableReceivers(t *testing.T) {
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
		{
			"an address that is not permitted",
			egress.Policy{AllowHTTP: true},
			egress.Options{},
			"http://127.0.0.1:9",
			"blocked by the egress policy: 127.0.0.1 is not a public address; to permit it: allow network 127.0.0.1/32",
		},
		{
			"http that is not permitted",
			egress.Policy{AllowNetworks: loopback.AllowNetworks},
			egress.Options{},
			"http://127.0.0.1:9",
			"blocked by the egress policy: a receiver without TLS; use https, or permit it: allow http",
		},
		{"no name server", loopback, nowhere, "http://erp.example.com", "DNS: looking up erp.example.com failed"},
		{
			"a proxy that is not there",
			egress.Policy{AllowHTTP: true, AllowNetworks: loopback.AllowNetworks, Proxy: "http://user:canary@127.0.0.1:9"},
			egress.Options{},
			"http://127.0.0.1:9",
			"egress proxy: connecting to it failed: connection refused",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			attempt, logged := deliverOnce(t, newTransport(t, test.policy, test.options), test.url, longTimeout)
			checkAttempt(t, attempt, logged, 0, test.error)
		})
	}
}

// TestKeptAnswer records the beginning of a long answer, and reuses the
// connection if the answer is not too long.
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
// for the next delivery: this must not cost that delivery an attempt.
func TestConnectionClosedWhileIdle(t *testing.T) {
	answers := 0
	url := serve(t, func(conn net.Conn) {
		answers++
		readRequest(conn)
		_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
		if answers == 1 {
			// Only once the next request has come, so that nobody could have
			// known.
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
