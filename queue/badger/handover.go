// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

const (
	// movers is how many intents are noted at once: they share a sync.
	movers = 64
	// handedTogether is how many resolutions make one step.
	handedTogether = 256
)

// HandOver gives a queue that is open what has passed before it was: what is
// resolved, as its marks; what is under way, and what earlier processes have not
// resolved, as intents. When the queue has all of it, durably, the file is
// emptied. After an error it is to be called again; what was given twice costs
// a look.
func (i *Interim) HandOver(ctx context.Context, q queue.Intents) error {
	for {
		toNote, toResolve, done := i.remaining()
		if done {
			return i.empty(ctx)
		}
		if err := i.move(ctx, q, toNote); err != nil {
			return fmt.Errorf("handing over intents: %w", err)
		}
		if err := i.resolve(ctx, q, toResolve); err != nil {
			return fmt.Errorf("handing over what exchanges have changed: %w", err)
		}
	}
}

// remaining returns what the queue does not have yet, in the order in which it
// was noted. If there is nothing, nothing more is taken.
func (i *Interim) remaining() (toNote, toResolve []*interimIntent, done bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for id, one := range i.kept {
		switch {
		case one.moved == 0 && (one.resolution == nil || one.resolution.Unresolved != ""):
			toNote = append(toNote, one)
		case one.resolution != nil:
			toResolve = append(toResolve, one)
		case one.Abandoned:
			// The queue has it, and nobody else will ask for it.
			delete(i.kept, id)
		}
	}
	for _, some := range [][]*interimIntent{toNote, toResolve} {
		slices.SortFunc(some, func(a, b *interimIntent) int { return cmp.Compare(a.ID, b.ID) })
	}
	i.handedOver = i.handedOver || len(toNote)+len(toResolve) == 0
	return toNote, toResolve, i.handedOver
}

// move notes intents in the queue.
func (i *Interim) move(ctx context.Context, q queue.Intents, intents []*interimIntent) error {
	var (
		wg   sync.WaitGroup
		next = make(chan *interimIntent)
		mu   sync.Mutex
		errs error
	)
	for range min(movers, len(intents)) {
		wg.Go(func() {
			for one := range next {
				if err := i.moveOne(ctx, q, one); err != nil {
					mu.Lock()
					errs = err // one of them says enough
					mu.Unlock()
				}
			}
		})
	}
	for _, one := range intents {
		next <- one
	}
	close(next)
	wg.Wait()
	return errs
}

func (i *Interim) moveOne(ctx context.Context, q queue.Intents, one *interimIntent) error {
	id, err := q.NoteIntent(ctx, one.Intent)
	if err != nil {
		if id != 0 {
			// It may be noted all the same, and is noted again.
			err = errors.Join(err, q.ResolveIntent(ctx, id, queue.Resolution{}, false))
		}
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	one.moved = id
	return nil
}

// resolve gives the queue what exchanges have changed, in their order, some of
// them in one step.
func (i *Interim) resolve(ctx context.Context, q queue.Intents, intents []*interimIntent) error {
	for len(intents) > 0 {
		n, id, together := 0, queue.IntentID(0), queue.Resolution{}
		for n < len(intents) && n < handedTogether && intents[n].moved == 0 {
			together.Marks = append(together.Marks, intents[n].resolution.Marks...)
			n++
		}
		if n == 0 {
			n, id, together = 1, intents[0].moved, *intents[0].resolution
		}
		if id != 0 || len(together.Marks) > 0 {
			if err := queue.Resolve(ctx, q, id, together, true); err != nil {
				return err
			}
		}
		i.forget(intents[:n])
		intents = intents[n:]
	}
	return nil
}

// forget forgets what the queue has.
func (i *Interim) forget(intents []*interimIntent) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, one := range intents {
		delete(i.kept, one.ID)
	}
}

// empty empties the file, once.
func (i *Interim) empty(ctx context.Context) error {
	i.mu.Lock()
	emptied := i.emptied
	i.mu.Unlock()
	if emptied {
		return nil
	}
	if err := i.file.empty(ctx); err != nil {
		return fmt.Errorf("emptying %s, which the next start takes up again: %w", InterimFile, err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.emptied = true
	return nil
}
