// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/internal/faults"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// TestSubscriberCannotScan attempts addresses that differ in everything that a
// scan looks for: to the subscriber they look the same.
func TestSubscriberCannotScan(t *testing.T) {
	open, err := faults.Start(faultOf(t, "hangs before the answer"), faults.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(open.Close)
	shut, err := faults.Start(faultOf(t, "nobody listens"), faults.Options{})
	if err != nil {
		t.Fatal(err)
	}
	nowhere := egress.Options{Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, net.ErrClosed
	}}}
	stricter := egress.Policy{AllowHTTP: true, AllowNetworks: loopback.AllowNetworks, DenyNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	seen := map[string]string{}
	for name, attempt := range map[string]func() (queue.Attempt, string){
		"open": func() (queue.Attempt, string) {
			return deliverOnce(t, newTransport(t, loopback, egress.Options{}), open.URL, shortTimeout)
		},
		"closed": func() (queue.Attempt, string) {
			return deliverOnce(t, newTransport(t, loopback, egress.Options{}), shut.URL, longTimeout)
		},
		"blocked": func() (queue.Attempt, string) {
			return deliverOnce(t, newTransport(t, stricter, egress.Options{}), open.URL, longTimeout)
		},
		"unknown name": func() (queue.Attempt, string) {
			return deliverOnce(t, newTransport(t, loopback, nowhere), "http://inner.example.com", longTimeout)
		},
	} {
		made, _ := attempt()
		if made.Error == "" || made.Error == noAnswer {
			t.Errorf("%s: the operator sees %q", name, made.Error)
		}
		shown := ForSubscriber(made)
		seen[shown.Error+shown.Duration.String()+string(shown.Response)] = name
	}
	if len(seen) != 1 {
		t.Errorf("they can be distinguished: %v", seen)
	}
}

func faultOf(t *testing.T, name string) faults.Fault {
	t.Helper()
	for _, fault := range faults.All() {
		if fault.Name == name {
			return fault
		}
	}
	t.Fatalf("there is no fault %q", name)
	return faults.Fault{}
}

// TestForSubscriberKeeps keeps what receivers have said themselves.
func TestForSubscriberKeeps(t *testing.T) {
	for _, attempt := range []queue.Attempt{
		{Code: http.StatusOK, Duration: time.Second},
		{Code: http.StatusGone, Error: describeCode(http.StatusGone), Duration: time.Second, Response: []byte("gone")},
		{Code: http.StatusOK, Error: withinAnswer, Duration: time.Second},
		{Error: hostile["a certificate that has expired"].error, Duration: time.Second},
		{Error: expiredWords},
	} {
		if shown := ForSubscriber(attempt); shown.Error != attempt.Error || shown.Duration != attempt.Duration || string(shown.Response) != string(attempt.Response) {
			t.Errorf("%+v is shown as %+v", attempt, shown)
		}
	}
	if shown := ForSubscriber(queue.Attempt{Error: describe(errors.New("canary")), Duration: time.Second}); strings.Contains(shown.Error, "failed") || shown.Duration != 0 {
		t.Errorf("shown: %+v", shown)
	}
}
