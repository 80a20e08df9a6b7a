// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"
)

// Defaults of [Options].
const (
	DefaultHold    = time.Second
	DefaultTimeout = 30 * time.Second
	DefaultMaxBody = 16 << 20
	DefaultMaxHeld = 1024
)

// NoHold is the [Options.Hold] that does not wait for what is missing.
const NoHold = -1

// maxHeldOfObject is how many events of one object wait at once.
const maxHeldOfObject = 64

// HandleFunc handles an event. If it returns an error, or panics, the event comes again.
type HandleFunc func(context.Context, *Event) error

// Options are a receiver's options.
type Options struct {
	// Secrets are those that deliveries may be signed with: "whsec_…", or "whpk_…" for the
	// public key of a sender that has one. Required.
	Secrets []string
	// Handle is called with each event, once, and for each object in the order of its
	// events. Required.
	Handle HandleFunc
	// Store remembers what was handled. Required.
	Store Store

	// Late is called with events that come when later ones of their object have been
	// handled, as the receiver has not waited any longer. Default: they are told of
	// (Notice), and not handled.
	Late HandleFunc
	// Test is called with events that somebody made up to try the receiver. Default: they
	// are answered with success, and nothing is done.
	Test HandleFunc
	// Notice is told what an operator may want to know. It must not block. Default: it is
	// written to the default log of log/slog.
	Notice func(context.Context, Notice)

	// Hold is how long an event waits for earlier ones of its object. It should be well
	// below the sender's timeout. Default: [DefaultHold]. [NoHold] is for endpoints with
	// the default `order object`, whose events are sent in order: there, waiting brings
	// nothing.
	Hold time.Duration
	// MaxHeld is how many events may wait at once, each with its payload. What comes then is
	// refused with 503, and comes again. Default: [DefaultMaxHeld].
	MaxHeld int
	// Partial is for endpoints that get only some events, by `events` or a filter, and have
	// no feed: numbers that are missing then mean nothing. They are not waited for, nor told
	// of.
	Partial bool
	// Feed is where to fetch what is missing. Default: it is not fetched.
	Feed *Feed

	// Timeout is how long Handle may take. If the sender no longer waits for the answer,
	// Handle goes on, and the repeat finds the event handled. Default: [DefaultTimeout].
	Timeout time.Duration
	// MaxBody is the size of the largest payload, in bytes. Default: [DefaultMaxBody].
	MaxBody int64
	// Tolerance is how far apart the clocks may be. Default: [DefaultTolerance].
	Tolerance time.Duration
	// Now is the clock that deliveries are verified with. Default: [time.Now].
	Now func() time.Time
}

// Receiver receives webhooks. It is an [http.Handler].
type Receiver struct {
	options  Options
	verifier *Verifier
	lanes    lanes
	feed     *reader
}

// New returns a receiver, or an error that says which option is wrong.
func New(options Options) (*Receiver, error) {
	verifier, err := NewVerifier(options.Secrets...)
	if err != nil {
		return nil, err
	}
	switch {
	case options.Handle == nil:
		return nil, errors.New("set Handle: what to do with an event")
	case options.Store == nil:
		return nil, errors.New("set Store: where to remember what was handled")
	case options.Partial && options.Feed != nil:
		return nil, errors.New("set Partial or Feed, not both: a feed tells which numbers are missing")
	}
	verifier.Tolerance, verifier.Now = options.Tolerance, options.Now
	options.setDefaults()
	r := &Receiver{options: options, verifier: verifier}
	if options.Feed != nil {
		if r.feed, err = newReader(*options.Feed); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (o *Options) setDefaults() {
	if o.Notice == nil {
		o.Notice = logNotice
	}
	if o.Hold == 0 {
		o.Hold = DefaultHold
	}
	if o.Partial {
		o.Hold = NoHold
	}
	if o.MaxHeld <= 0 {
		o.MaxHeld = DefaultMaxHeld
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.MaxBody <= 0 {
		o.MaxBody = DefaultMaxBody
	}
}

// Receive takes a delivery that came by whatever way. It returns nil if the event was
// handled, now or before; then the sender may be told. Body must be the bytes as they came.
func (r *Receiver) Receive(ctx context.Context, header http.Header, body []byte) error {
	e, err := r.verifier.Verify(header, body)
	if err != nil {
		r.options.Notice(ctx, Notice{Kind: Refused, Err: err})
		return err
	}
	return r.take(ctx, e)
}

// Forget forgets how far each object and the feed are, but not which events were handled:
// for when the sender was restored from a backup, so that its numbers begin again.
func (r *Receiver) Forget(ctx context.Context) error {
	if r.feed != nil {
		if err := r.feed.lock(ctx); err != nil {
			return err
		}
		defer r.feed.unlock()
	}
	return r.options.Store.Forget(ctx)
}

// call calls one of the user's functions. What it does is not cut off when the sender goes
// away: the repeat would begin from the start, and be cut off again.
func (r *Receiver) call(handle HandleFunc, e *Event) func(context.Context) error {
	if handle == nil {
		return nil
	}
	return func(ctx context.Context) (err error) {
		defer func() {
			if recovered := recover(); recovered != nil {
				err = fmt.Errorf("the handler panicked: %v\n%s", recovered, debug.Stack())
			}
		}()
		return handle(ctx, e)
	}
}
