// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// longPoll is how long the feed waits for an event.
const longPoll = time.Minute

// CatchUp reads the feed to its end, and handles what was not handled before. Call it
// after a start, and now and then: then nothing is missing, whatever became of deliveries,
// and the cursor does not expire.
func (r *Receiver) CatchUp(ctx context.Context) error {
	if r.feed == nil {
		return errors.New("there is no Feed to read")
	}
	f := r.feed
	wanted, _ := f.count(0)
	if err := f.lock(ctx); err != nil {
		return err
	}
	defer f.unlock()
	// Who has waited while another read the whole feed has what it wanted.
	if _, ended := f.count(0); ended > wanted {
		return nil
	}
	run, _ := f.count(1)
	for {
		cursor, err := r.cursor(ctx)
		if err != nil {
			return err
		}
		p, err := f.read(ctx, cursor, 0)
		more, err := r.handlePage(ctx, cursor, p, err)
		if err != nil {
			return err
		}
		if !more {
			f.end(run)
			return nil
		}
	}
}

// Follow reads the feed, and handles events as they come, until the context ends. It needs
// no deliveries, and goes well with them: what came by both ways is handled once. Errors
// are told (Notice), and what failed is tried again.
func (r *Receiver) Follow(ctx context.Context) error {
	if r.feed == nil {
		return errors.New("there is no Feed to read")
	}
	failures := 0
	for {
		began := time.Now()
		some, err := r.followPage(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait := time.Second - time.Since(began) // some feeds do not wait, whatever they are asked
		switch {
		case err != nil:
			r.options.Notice(ctx, Notice{Kind: Failed, Err: fmt.Errorf("reading the feed: %w", err)})
			failures++
			wait = pause(failures, err)
		case some || wait <= 0:
			failures = 0
			continue
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pause is how long to wait after some failures in a row.
func pause(failures int, err error) time.Duration {
	wait := min(time.Second<<min(failures-1, 6), time.Minute)
	wait += rand.N(wait / 4)
	if refused := new(refusedError); errors.As(err, &refused) {
		wait = max(wait, refused.wait)
	}
	return wait
}

// followPage waits for a page, and handles it. It reports whether there was something.
func (r *Receiver) followPage(ctx context.Context) (some bool, _ error) {
	cursor, err := r.cursor(ctx)
	if err != nil {
		return false, err
	}
	p, err := r.feed.read(ctx, cursor, longPoll)
	// The feed is not locked while it is waited for. If the cursor has moved meanwhile, the
	// page was handled by who moved it.
	if err := r.feed.lock(ctx); err != nil {
		return false, err
	}
	defer r.feed.unlock()
	now, moved := r.cursor(ctx)
	if moved != nil || now != cursor {
		return moved == nil, moved
	}
	more, err := r.handlePage(ctx, cursor, p, err)
	return more || len(p.Data) > 0, err
}

// cursor returns where to read on.
func (r *Receiver) cursor(ctx context.Context) (string, error) {
	cursor, err := r.options.Store.Cursor(ctx)
	if cursor == "" {
		cursor = r.feed.feed.Begin
	}
	return cursor, err
}

// handlePage handles a page, or the error in its place, and keeps the cursor behind what is
// handled. It reports whether there is more to read at once. The feed must be locked.
func (r *Receiver) handlePage(ctx context.Context, after string, p page, err error) (more bool, _ error) {
	if gone := new(expiredError); errors.As(err, &gone) && gone.oldest != after {
		r.options.Notice(ctx, Notice{Kind: Expired, Err: err})
		return true, r.options.Store.KeepCursor(ctx, gone.oldest)
	}
	if err != nil {
		return false, err
	}
	for i, it := range p.Data {
		if err := r.handleItem(ctx, it); err != nil {
			if i > 0 {
				err = errors.Join(err, r.options.Store.KeepCursor(context.WithoutCancel(ctx), after))
			}
			return false, err
		}
		after = it.Cursor
	}
	if p.More && p.Next == after && len(p.Data) == 0 {
		return false, errors.New("the feed says that there is more, and does not move")
	}
	return p.More, r.options.Store.KeepCursor(ctx, p.Next)
}

// handleItem handles an event of the feed.
func (r *Receiver) handleItem(ctx context.Context, it item) error {
	header, body, err := it.delivery()
	if err != nil {
		return fmt.Errorf("an event of the feed: %w", err)
	}
	var e *Event
	if r.feed.feed.Unsigned && header.Get("webhook-signature") == "" {
		e, err = newEvent(header, body, time.Time{})
	} else {
		e, err = r.verifier.Verify(header, body)
	}
	if err != nil {
		return fmt.Errorf("an event of the feed: %w", err)
	}
	e.FromFeed, e.filtered = true, it.Delivery == filtered
	return r.take(ctx, e)
}

// lock waits until nobody else handles a page.
func (f *reader) lock(ctx context.Context) error {
	select {
	case <-f.free:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *reader) unlock() { f.free <- struct{}{} }

// count counts one more time, or none, that the reading of the whole feed begins. It returns
// how many have begun, and the last that has ended.
func (f *reader) count(one uint64) (begun, ended uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begun += one
	return f.begun, f.ended
}

func (f *reader) end(run uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = run
}
