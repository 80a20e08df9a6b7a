// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/hop"
	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// crowd is how many hanging receivers a client names at once.
const crowd = 700

// ofCrowd reports whether a host belongs to the client who means harm.
func ofCrowd(g got) bool { return strings.HasPrefix(g.host, "bad") }

// A client names hundreds of receivers that hang. A rightful one is told within a
// small multiple of its usual time, whatever was known of it and of them.
func TestHangingReceiversAmongNamed(t *testing.T) {
	for _, c := range []struct {
		name string
		// before is what the receivers answered before the bad ones hang.
		before func(g got) (int, error)
		// one is the host of all bad receivers, where they share one.
		one    string
		within time.Duration
	}{
		{"nobody is known", nil, "", 12 * time.Second},
		{"the rightful one is known", func(g got) (int, error) {
			if ofCrowd(g) {
				return 0, errors.New("no answer")
			}
			return http.StatusOK, nil
		}, "", time.Second},
		{"all have answered before", func(got) (int, error) { return http.StatusOK, nil }, "", 30 * time.Second},
		{"none has answered before", func(got) (int, error) { return 0, errors.New("no answer") }, "", 20 * time.Second},
		{"all on the rightful one's host", nil, "good", 60 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, Options{})
				target := named(t, w)
				if c.one != "" {
					resolve := target.Resolve
					target.Resolve = func(ctx context.Context, key event.Key) (Address, error) {
						a, err := resolve(ctx, key)
						a.URL = strings.Replace(a.URL, "https://bad", "https://"+c.one+".example/bad", 1)
						return a, err
					}
				}
				hangs := atomic.Bool{}
				told := make(chan struct{})
				w.receivers.answer = func(ctx context.Context, g got) (int, error) {
					if !hangs.Load() {
						return c.before(g)
					}
					if !strings.Contains(string(g.body), `"good-`) {
						return hang(ctx)
					}
					close(told)
					return http.StatusOK, nil
				}
				w.apply(t, target)
				everybody := func() {
					for i := range crowd {
						w.publish(t, fmt.Sprintf("bad%d-1", i), []string{"notify.items"}, nil)
					}
				}
				if c.before != nil {
					everybody()
					w.publish(t, "good-1", []string{"notify.items"}, nil)
					synctest.Wait()
					time.Sleep(time.Second)
					synctest.Wait()
				}
				hangs.Store(true)
				everybody()
				synctest.Wait()
				began := time.Now()
				w.publish(t, "good-1", []string{"notify.items"}, nil)
				<-told
				if took := time.Since(began); took > c.within {
					t.Errorf("the rightful receiver was told after %v", took)
				}
			})
		})
	}
}

// What one receiver answers holds up no other of its host, which may be a gateway
// that they share.
func TestOneReceiverOfAGateway(t *testing.T) {
	for name, answer := range map[string]func(header http.Header) int{
		"a pause of an hour":   func(h http.Header) int { h.Set("Retry-After", "3600"); return http.StatusServiceUnavailable },
		"too many requests":    func(h http.Header) int { h.Set("Retry-After", "3600"); return http.StatusTooManyRequests },
		"a failing receiver":   func(http.Header) int { return http.StatusInternalServerError },
		"a gateway's own word": func(http.Header) int { return http.StatusBadGateway },
		"gone":                 func(http.Header) int { return http.StatusGone },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, Options{})
				target := named(t, w)
				resolve := target.Resolve
				target.Resolve = func(ctx context.Context, key event.Key) (Address, error) {
					a, err := resolve(ctx, key)
					a.URL = strings.Replace(a.URL, "https://", "https://gateway.example/", 1)
					return a, err
				}
				target.Transport = transport(func(r *http.Request) (*http.Response, error) {
					response, err := w.receivers.RoundTrip(r)
					if err == nil && strings.HasPrefix(r.URL.Path, "/bad") {
						response.StatusCode = answer(response.Header)
					}
					return response, err
				})
				w.apply(t, target)
				for i := range 20 {
					w.publish(t, fmt.Sprintf("bad-%d", i), []string{"notify.items"}, nil)
				}
				synctest.Wait()
				time.Sleep(10 * time.Second)
				before := len(w.receivers.of("gateway"))
				w.publish(t, "good-1", []string{"notify.items"}, nil)
				synctest.Wait()
				if n := len(w.receivers.of("gateway")); n != before+1 {
					t.Errorf("%d attempts for the other receiver", n-before)
				}
			})
		})
	}
}

// transport is a function as an [http.RoundTripper].
type transport func(r *http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A host that takes no connections is left alone, whatever receivers are there.
func TestHostThatRefuses(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.receivers.answer = func(context.Context, got) (int, error) {
			return 0, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
		}
		w.apply(t, named(t, w))
		for i := range 200 {
			w.publish(t, fmt.Sprintf("off-%d", i), []string{"notify.items"}, nil)
			synctest.Wait()
		}
		if n := len(w.receivers.of("off")); n > tripAfter+1 {
			t.Errorf("%d attempts at a host that refuses connections", n)
		}
	})
}

// The hops that one receiver sends back with a request hide the change from that
// receiver only.
func TestHopsOfNamedReceivers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		key := hop.NewKey([]byte("secret"))
		w := newWorld(t, Options{Hops: key})
		w.apply(t, named(t, w))
		chain := ""
		publish := func(id string) {
			w.publish(t, id, []string{"notify.items"}, func(ev *event.Event) { ev.Cause.Hops = chain })
			synctest.Wait()
		}
		for range hop.MaxHops + 3 {
			publish("loop-1")
			all := w.receivers.of("loop")
			chain, _ = key.Verify(all[len(all)-1].header.Get(hop.Header), time.Now())
		}
		publish("other-1")
		publish("loop-2")
		if n := len(w.receivers.of("other")); n != 1 {
			t.Errorf("a receiver with the hops of another got %d deliveries", n)
		}
		if n := len(w.receivers.of("loop")); n != hop.MaxHops+1 {
			t.Errorf("%d deliveries went round, and to another receiver of the host", n)
		}
	})
}

// What is remembered of receivers and hosts is limited, and forgotten in time.
func TestForgottenReceivers(t *testing.T) {
	s := newStanding("notify.items")
	l := limits{concurrency: 64, perReceiver: 8}
	now := time.Now()
	deliver := func(i int, down bool) {
		to := destination{receiver: receiverKey(fmt.Sprint(i)), host: fmt.Sprint(i)}
		if wait := s.beginNamed(l, &to, now); wait > 0 {
			t.Fatalf("receiver %d waits %v", i, wait)
		}
		s.endNamed(l, &to, finished{ruling: ruling{down: down}, began: now, ended: now}, down)
	}
	for i := range 3 * maxRemembered {
		deliver(i, i%2 == 0)
		if len(s.receivers) > maxRemembered+1 || len(s.hosts) > maxRemembered+1 {
			t.Fatalf("%d receivers and %d hosts are remembered", len(s.receivers), len(s.hosts))
		}
	}
	now = now.Add(remembered + time.Second)
	deliver(0, false)
	if len(s.receivers) != 1 || len(s.hosts) != 1 {
		t.Errorf("%d receivers and %d hosts are remembered for ever", len(s.receivers), len(s.hosts))
	}
	for of, c := range s.crowds {
		if c.inFlight != 0 {
			t.Errorf("%d places of rank %d are taken", c.inFlight, of)
		}
	}
}
