// SPDX-License-Identifier: Apache-2.0

package journal

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
	// movers is how many intents are noted or resolved at once: they share a
	// sync.
	movers = 64
	// handedTogether is how many resolutions make one step.
	handedTogether = 256
)

// HandOver gives a queue that is open what has passed before it was: what is
// resolved, as its marks; what is under way, and what earlier processes have not
// resolved, as intents. When the queue has all of it, durably, the file is
// emptied, and nothing more is taken. After an error it is to be called again;
// what was given twice costs a look.
func (i *Interim) HandOver(ctx context.Context, q queue.Intents) error {
	for {
		toNote, toResolve, done := i.remaining(true)
		if done {
			return i.empty(ctx)
		}
		if err := i.give(ctx, q, toNote, toResolve); err != nil {
			return err
		}
	}
}

// drains is how often what came meanwhile is handed over before a queue is used.
const drains = 8

// Drain hands over what there is, and goes on taking more: so a queue has what
// was done before before it gets anything that is done after. Of what comes
// meanwhile, little is left. The exchanges under way stay here: nobody could
// resolve them in a queue that is not used yet.
func (i *Interim) Drain(ctx context.Context, q queue.Intents) error {
	for range drains {
		toNote, toResolve, _ := i.remaining(false)
		if len(toNote)+len(toResolve) == 0 {
			return nil
		}
		if err := i.give(ctx, q, toNote, toResolve); err != nil {
			return err
		}
	}
	return nil
}

func (i *Interim) give(ctx context.Context, q queue.Intents, toNote, toResolve []*interimIntent) error {
	if err := i.move(ctx, q, toNote); err != nil {
		return fmt.Errorf("handing over intents: %w", err)
	}
	if err := i.resolve(ctx, q, toResolve); err != nil {
		return fmt.Errorf("handing over what exchanges have changed: %w", err)
	}
	return nil
}

// remaining returns what the queue does not have yet, in the order in which it
// was noted. If it is to end, the exchanges under way are among it, and if there
// is nothing, nothing more is taken.
func (i *Interim) remaining(end bool) (toNote, toResolve []*interimIntent, done bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for id, one := range i.kept {
		switch {
		case !end && one.resolution == nil && !one.Abandoned:
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
	i.handedOver = i.handedOver || end && len(toNote)+len(toResolve) == 0
	return toNote, toResolve, i.handedOver
}

// move notes intents in the queue.
func (i *Interim) move(ctx context.Context, q queue.Intents, intents []*interimIntent) error {
	return together(intents, func(one *interimIntent) error {
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
		if one.resolution == nil {
			i.handed(one)
		}
		return nil
	})
}

// resolve gives the queue what exchanges have changed, in their order, some of
// them in one step.
func (i *Interim) resolve(ctx context.Context, q queue.Intents, intents []*interimIntent) error {
	var noted []*interimIntent
	for chunk := range slices.Chunk(intents, handedTogether) {
		var all queue.Resolution
		var done []*interimIntent
		for _, one := range chunk {
			if one.moved != 0 {
				noted = append(noted, one)
				continue
			}
			done = append(done, one)
			all.Marks = append(all.Marks, one.resolution.Marks...)
		}
		if len(all.Marks) > 0 {
			if err := queue.Resolve(ctx, q, 0, all, true); err != nil {
				return err
			}
		}
		i.forget(done...)
	}
	return together(noted, func(one *interimIntent) error {
		err := queue.Resolve(ctx, q, one.moved, *one.resolution, true)
		if err == nil {
			i.forget(one)
		}
		return err
	})
}

// together does something with many intents at once, and returns one of the
// errors.
func together(intents []*interimIntent, do func(one *interimIntent) error) error {
	var (
		running sync.WaitGroup
		next    = make(chan *interimIntent)
		mu      sync.Mutex
		failed  error
	)
	for range min(movers, len(intents)) {
		running.Go(func() {
			for one := range next {
				if err := do(one); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}
		})
	}
	for _, one := range intents {
		next <- one
	}
	close(next)
	running.Wait()
	return failed
}

// forget forgets what the queue has.
func (i *Interim) forget(intents ...*interimIntent) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, one := range intents {
		delete(i.kept, one.ID)
	}
	i.handed(intents...)
}

// handed notes what the queue has, so that the next process does not give it
// again. It waits for nothing: what is given twice costs a look, or a second
// record. The caller holds the lock.
func (i *Interim) handed(intents ...*interimIntent) {
	if frame := appendHanded(nil, intents); len(intents) > 0 && i.file.room(len(frame), maxInterimBytes) {
		i.file.append(frame)
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
		return fmt.Errorf("emptying %s, which the next start takes up again: %w", queue.JournalFile, err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.emptied = true
	return nil
}
