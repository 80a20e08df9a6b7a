// SPDX-License-Identifier: Apache-2.0

package system

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long tests wait for what has to come.
const patience = 2 * time.Minute

// Delivery is what a receiver got.
type Delivery struct {
	Method string
	Path   string
	Header http.Header
	Body   string
	// From is the address from which it came, without the port.
	From string
}

// Type returns the type of the event.
func (d Delivery) Type() string { return d.Header.Get("Webhook-Event") }

// Object returns the object of the event.
func (d Delivery) Object() string { return d.Header.Get("Webhook-Object") }

// Receiver gets deliveries.
type Receiver struct {
	server *httptest.Server

	mu     sync.Mutex
	got    []Delivery
	answer func(Delivery) int
}

// NewReceiver starts one. It answers everything with 200.
func NewReceiver(t *testing.T) *Receiver {
	t.Helper()
	r := new(Receiver)
	r.server = httptest.NewServer(r)
	t.Cleanup(r.server.Close)
	return r
}

// URL returns where it is.
func (r *Receiver) URL() string { return r.server.URL }

// Answer sets with which status each delivery is answered. What is not answered with
// success is not told by [Receiver.Got], as the receiver did not take it.
func (r *Receiver) Answer(answer func(Delivery) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// ServeHTTP implements [http.Handler].
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	from, _, err := net.SplitHostPort(request.RemoteAddr)
	if err != nil {
		return
	}
	d := Delivery{request.Method, request.URL.Path, request.Header.Clone(), string(body), from}
	r.mu.Lock()
	defer r.mu.Unlock()
	status := http.StatusOK
	if r.answer != nil {
		status = r.answer(d)
	}
	if status < 300 {
		r.got = append(r.got, d)
	}
	w.WriteHeader(status)
}

// Got returns the deliveries so far.
func (r *Receiver) Got() []Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Delivery(nil), r.got...)
}

// Await waits for a delivery.
func (r *Receiver) Await(t *testing.T, what string, wanted func(Delivery) bool) Delivery {
	t.Helper()
	d, err := r.await(t, wanted)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return d
}

// AwaitEvent waits for an event of a type.
func (r *Receiver) AwaitEvent(t *testing.T, eventType, object string) Delivery {
	t.Helper()
	return r.Await(t, eventType+" of "+object, func(d Delivery) bool { return d.Type() == eventType && d.Object() == object })
}

func (r *Receiver) await(t *testing.T, wanted func(Delivery) bool) (Delivery, error) {
	t.Helper()
	tick, end := time.NewTicker(10*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for {
		for _, d := range r.Got() {
			if wanted(d) {
				return d, nil
			}
		}
		select {
		case <-tick.C:
		case <-end:
			return Delivery{}, fmt.Errorf("it did not come within %s; %d others did:\n%s", patience, len(r.Got()), r.list())
		}
	}
}

func (r *Receiver) list() string {
	var text strings.Builder
	for _, d := range r.Got() {
		fmt.Fprintf(&text, "%s %s %s %s\n", d.Path, d.Type(), d.Object(), d.Body)
	}
	return text.String()
}

// told waits for the event that a README speaks of between its commands: `told
// kyc.verification.success`.
func (r *Receiver) told(t *testing.T, what string) error {
	t.Helper()
	eventType, isTold := strings.CutPrefix(what, "told ")
	if !isTold {
		return fmt.Errorf("%q does not happen here", what)
	}
	_, err := r.await(t, func(d Delivery) bool { return d.Type() == eventType })
	return err
}
