// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/receiver"
)

// listenRemembers is how many events and objects are remembered, to tell repeats and
// the order.
const listenRemembers = 10_000

// listener is a receiver that prints what comes. It is an [http.Handler].
type listener struct {
	// verifier is nil if there is no secret.
	verifier *receiver.Verifier
	// forward answers in place of this receiver, unless it is nil.
	forward *forward
	seen    receiver.Store
	now     func() time.Time
	print   func(*delivery) error
	// fail ends it.
	fail context.CancelCauseFunc

	// mu is held while an event is looked up and noted.
	mu sync.Mutex
	// printing is held while a delivery is printed.
	printing sync.Mutex
}

// ServeHTTP answers a delivery, and prints it with what was answered.
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d := &delivery{At: l.now()}
	l.answer(w, r, d)
	if d.broken {
		// Half an answer must not pass for a whole one.
		defer panic(http.ErrAbortHandler)
	}
	l.printing.Lock()
	defer l.printing.Unlock()
	if err := l.print(d); err != nil {
		l.fail(fmt.Errorf("%w: %w", errPrinting, err))
	}
}

// answer answers a delivery and notes what it was.
func (l *listener) answer(w http.ResponseWriter, r *http.Request, d *delivery) {
	refuse := func(status int, reason string) {
		d.Verdict, d.Reason, d.Answer = verdictRefused, reason, status
		http.Error(w, reason, status)
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(http.StatusMethodNotAllowed, "webhooks are sent by POST, and this was "+r.Method)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, receiver.DefaultMaxBody))
	if err != nil {
		status, tooLarge := http.StatusBadRequest, (*http.MaxBytesError)(nil)
		if errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		refuse(status, "the payload cannot be read: "+err.Error())
		return
	}
	e, err := l.verify(r.Header, body)
	if err != nil {
		d.claim(r.Header)
		refuse(http.StatusUnauthorized, err.Error())
		return
	}
	d.Verdict, d.body = verdictRight, body
	if l.verifier == nil {
		d.Verdict = verdictUnknown
	}
	d.tell(e)
	if d.Order, d.Missing, err = l.place(r.Context(), e); err != nil {
		d.Reason, d.Answer = err.Error(), http.StatusInternalServerError
		http.Error(w, "the webhook could not be handled", d.Answer)
		return
	}
	if l.forward != nil {
		became := l.forward.answer(w, r, body)
		d.Answer, d.Reason, d.broken = became.status, became.reason, became.broken
		return
	}
	d.Answer = http.StatusNoContent
	w.WriteHeader(d.Answer)
}

// verify returns the event of a delivery. Without a secret, it is what the headers say.
func (l *listener) verify(header http.Header, body []byte) (*receiver.Event, error) {
	if l.verifier != nil {
		return l.verifier.Verify(header, body)
	}
	// What is no number is none: nothing here is certain.
	sequence, _ := strconv.ParseUint(header.Get("webhook-sequence"), 10, 63)
	return &receiver.Event{
		ID: short(header.Get("webhook-id")), Type: short(header.Get("webhook-event")), Object: short(header.Get("webhook-object")),
		Sequence: sequence, Op: short(header.Get("webhook-op")),
	}, nil
}

// place returns where an event stands among those of its object that came, and notes it.
func (l *listener) place(ctx context.Context, e *receiver.Event) (order string, missing uint64, err error) {
	if e.ID == "" {
		return "", 0, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	object := e.Object
	if e.Sequence == 0 || e.Op == receiver.OpTest {
		object = ""
	}
	seen, err := l.seen.Look(ctx, e.ID, object, e.Sequence)
	if err != nil {
		return "", 0, err
	}
	order, missing = orderOf(e, object, seen)
	if order == orderRepeat {
		return order, 0, nil
	}
	step := receiver.Step{ID: e.ID, Object: object, From: seen.Position, To: seen.Position}
	if object != "" && e.Op != receiver.OpSnapshot {
		step.Sequence = e.Sequence
	}
	if object != "" && (order != orderLate && order != orderOld) {
		step.To = e.Sequence
	}
	return order, missing, l.seen.Take(ctx, step, nil)
}

// Where an event stands.
const (
	// orderFirst: nothing of its object came before.
	orderFirst = "first"
	// orderNext: it follows the one that came before.
	orderNext = "next"
	// orderGap: some before it did not come, or are of no type that the endpoint gets.
	orderGap = "gap"
	// orderLate: later ones came before it.
	orderLate = "late"
	// orderRepeat: the same event came before.
	orderRepeat = "repeat"
	// orderRewound: another event of its object had this number.
	orderRewound = "rewound"
	// orderOld: it is the state of an object that has had a newer event.
	orderOld = "outdated"
)

// orderOf tells where an event stands, "" if it has no place, and how many are missing
// before it.
func orderOf(e *receiver.Event, object string, seen receiver.Seen) (order string, missing uint64) {
	snapshot := e.Op == receiver.OpSnapshot
	switch {
	case seen.Handled:
		return orderRepeat, 0
	case object == "":
		return "", 0
	case seen.Position == 0:
		return orderFirst, 0
	case snapshot && e.Sequence < seen.Position:
		return orderOld, 0
	case snapshot || e.Sequence == seen.Position+1:
		return orderNext, 0
	case e.Sequence > seen.Position:
		return orderGap, e.Sequence - seen.Position - 1
	case seen.Taken:
		return orderRewound, 0
	default:
		return orderLate, 0
	}
}

// silent returns a log that keeps nothing: what strangers send is not told there.
func silent() *log.Logger { return log.New(io.Discard, "", 0) }

// restored returns a request with its body again.
func restored(r *http.Request, body []byte) *http.Request {
	again := r.Clone(r.Context())
	again.Body, again.ContentLength, again.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	return again
}
