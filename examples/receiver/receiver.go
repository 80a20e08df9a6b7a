// SPDX-License-Identifier: Apache-2.0

// Package receiver is a small webhook receiver: it verifies each delivery with
// the Standard Webhooks library, recognises repeats, and prints the rest. It
// shows what a subscriber has to do; a real one would store the payload first
// and process it after answering.
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

// ErrNoSecret is returned if there is no secret to verify deliveries with.
var ErrNoSecret = errors.New("the secret is empty")

// Options are a receiver's options.
type Options struct {
	// Secret is the secret that signs deliveries, as "whsec_…". Required.
	Secret string
	// Out is where deliveries are printed. Default: nowhere.
	Out io.Writer
	// Now is the clock for the printed times. Default: [time.Now].
	Now func() time.Time
	// Remember is how many ids of the last deliveries are remembered to
	// recognise repeats. Default: [DefaultRemember].
	Remember int
}

// receiver answers deliveries: 204 if the signature is right, 401 otherwise.
type receiver struct {
	webhook *standardwebhooks.Webhook
	now     func() time.Time

	mu   sync.Mutex
	out  io.Writer
	seen *memory
}

// New returns a receiver. It fails if the secret is missing or malformed.
func New(options Options) (http.Handler, error) {
	if strings.TrimPrefix(options.Secret, "whsec_") == "" {
		return nil, ErrNoSecret
	}
	webhook, err := standardwebhooks.NewWebhook(options.Secret)
	if err != nil {
		// The library's error is left out: it quotes parts of the secret.
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

// ServeHTTP handles one delivery.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "deliveries are sent by POST", http.StatusMethodNotAllowed)
		return
	}
	// The signature covers the exact bytes of the body, so the body is read
	// unchanged and decoded later.
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
	// The library knows nothing of our own headers: what the event is.
	if !claimsHold(request.Header) {
		r.print(d.line("REJECTED: webhook-id was made with other headers"))
		http.Error(w, "webhook-id was made with other headers", http.StatusUnauthorized)
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

// memory holds the ids that were added last.
type memory struct {
	ids  map[string]struct{}
	ring []string
	next int
}

func newMemory(size int) *memory {
	return &memory{ids: make(map[string]struct{}), ring: make([]string, size)}
}

// add remembers an id, and forgets the oldest one if there are too many. It
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
