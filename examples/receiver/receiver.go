// SPDX-License-Identifier: Apache-2.0

// Package receiver is a small webhook receiver on top of the package receiver of this
// module: it verifies each delivery, recognises repeats, and prints the rest. A real one
// would give the handler of that package a function that stores the payload.
package receiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	kit "github.com/caddy-webhooks/caddy-webhooks/receiver"
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

// receiver prints deliveries, and answers 204 if the signature is right.
type receiver struct {
	kit *kit.Receiver
	now func() time.Time

	mu  sync.Mutex
	out io.Writer
}

// New returns a receiver. It fails if the secret is missing or malformed.
func New(options Options) (http.Handler, error) {
	if strings.TrimPrefix(options.Secret, "whsec_") == "" {
		return nil, ErrNoSecret
	}
	r := &receiver{now: options.Now, out: options.Out}
	if r.now == nil {
		r.now = time.Now
	}
	if r.out == nil {
		r.out = io.Discard
	}
	if options.Remember <= 0 {
		options.Remember = DefaultRemember
	}
	var err error
	r.kit, err = kit.New(kit.Options{
		Secrets: []string{options.Secret},
		Store:   kit.NewMemory(options.Remember),
		Handle:  r.take,
		// An event that was made up is printed as any other.
		Test: r.take,
		// What this receiver refuses is printed below. With the default order, deliveries
		// of an object come one after the other.
		Notice: func(context.Context, kit.Notice) {},
		Hold:   kit.NoHold,
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// takenKey is where a request learns that its delivery was not a repeat.
type takenKey struct{}

// ServeHTTP handles one delivery. If nothing is to be printed, the kit's own handler does
// the same.
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
	taken := false
	ctx := context.WithValue(request.Context(), takenKey{}, &taken)
	if err := r.kit.Receive(ctx, request.Header, payload); err != nil {
		r.print(d.line("REJECTED: " + err.Error()))
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	if !taken {
		r.print(d.line("verified, a repeat"))
	}
	w.WriteHeader(http.StatusNoContent)
}

// take prints a verified delivery. The kit calls it once for each event.
func (r *receiver) take(ctx context.Context, e *kit.Event) error {
	if taken, ok := ctx.Value(takenKey{}).(*bool); ok {
		*taken = true
	}
	d := delivery{header: e.Header, at: r.now(), payload: e.Body}
	r.print(d.line("verified") + d.pretty())
	return nil
}

func (r *receiver) print(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprint(r.out, text)
}
