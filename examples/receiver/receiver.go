// SPDX-License-Identifier: Apache-2.0

// Package receiver is a small webhook receiver: it verifies each delivery with
// the Standard Webhooks library, recognises repeats, and prints what came. It
// shows what a subscriber has to do; a real one would keep the payload first
// and work on it after it has answered.
package receiver

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// DefaultRemember is how many ids of deliveries are remembered by default.
const DefaultRemember = 10_000

// maxPayload is the largest payload that is read, in bytes.
const maxPayload = 4 << 20

// ErrNoSecret is returned when there is nothing to verify deliveries with.
var ErrNoSecret = errors.New("the secret is empty")

// Options says what a receiver needs.
type Options struct {
	// Secret is what deliveries are signed with, as "whsec_…". Required.
	Secret string
	// Out is where deliveries are printed. Default: nowhere.
	Out io.Writer
	// Now tells the time for what is printed. Default: [time.Now].
	Now func() time.Time
	// Remember is how many of the last deliveries' ids are kept to recognise
	// repeats. Default: [DefaultRemember].
	Remember int
}

// receiver answers deliveries: 204 to those whose signature is right, 401 to
// others.
type receiver struct {
	webhook *standardwebhooks.Webhook
	now     func() time.Time

	mu   sync.Mutex
	out  io.Writer
	seen *memory
}

// New returns a receiver. It fails when the secret is missing or is not one.
func New(options Options) (http.Handler, error) {
	if strings.TrimPrefix(options.Secret, "whsec_") == "" {
		return nil, ErrNoSecret
	}
	webhook, err := standardwebhooks.NewWebhook(options.Secret)
	if err != nil {
		// The library's error is left out: it tells parts of the secret.
		return nil, errors.New("the secret must be base64 after whsec_")
	}
	r := &receiver{webhook: webhook, now: options.Now, out: options.Out}
	if r.now == nil {
		r.now = time.Now
	}
	if r.out == nil {
		r.out = io.Discard
	}
	if options.Remember <= 0 {
		options.Remember = DefaultRemember
	}
	r.seen = newMemory(options.Remember)
	return r, nil
}

// ServeHTTP takes one delivery.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "deliveries are sent by POST", http.StatusMethodNotAllowed)
		return
	}
	// The signature covers the body's bytes as they came, so they are read as
	// they are and decoded later.
	payload, err := io.ReadAll(http.MaxBytesReader(w, request.Body, maxPayload))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			http.Error(w, "the payload is too large", http.StatusRequestEntityTooLarge)
			return
		}
		http.Error(w, "the payload cannot be read", http.StatusBadRequest)
		return
	}
	d := delivery{header: request.Header, at: r.now(), payload: payload}
	if err := r.webhook.Verify(payload, request.Header); err != nil {
		r.print(d.line("REJECTED: " + err.Error()))
		http.Error(w, "the signature is not right", http.StatusUnauthorized)
		return
	}
	r.take(d)
	w.WriteHeader(http.StatusNoContent)
}

// take prints a verified delivery, and a repeat without its payload.
func (r *receiver) take(d delivery) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.seen.add(d.id()) {
		fmt.Fprint(r.out, d.line("verified, a repeat"))
		return
	}
	fmt.Fprint(r.out, d.line("verified"), d.pretty())
}

func (r *receiver) print(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprint(r.out, text)
}

// memory holds the last ids that were added.
type memory struct {
	ids  map[string]struct{}
	ring []string
	next int
}

func newMemory(size int) *memory {
	return &memory{ids: make(map[string]struct{}), ring: make([]string, size)}
}

// add remembers an id, forgetting the oldest one when there are too many. It
// returns false if the id is remembered already.
func (m *memory) add(id string) bool {
	if _, ok := m.ids[id]; ok {
		return false
	}
	delete(m.ids, m.ring[m.next])
	m.ring[m.next] = id
	m.next = (m.next + 1) % len(m.ring)
	m.ids[id] = struct{}{}
	return true
}
