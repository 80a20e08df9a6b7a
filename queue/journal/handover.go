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
	// resolvedTogether is how many resolutions make one step.
	resolvedTogether = 256
)

// HandOver gives an open queue all entries: resolved ones as marks; those under
// way, and those that earlier processes have not resolved, as intents. When the
// queue has all of them, durably, the file is emptied, and the journal takes
// nothing more. After an error, HandOver is to be called again; an entry that is
// given twice costs a look.
func (j *Journal) HandOver(ctx context.Context, q queue.Intents) error {
	for {
		toNote, toResolve, done := j.remaining(true)
		if done {
			return j.empty(ctx)
		}
		if err := j.give(ctx, q, toNote, toResolve); err != nil {
			return err
		}
	}
}

// drainRounds is how often [Journal.Drain] gives a queue what came meanwhile.
const drainRounds = 8

// Drain gives a queue the entries of exchanges that are over, and goes on taking
// more: so a queue has what was done before its use begins before it gets
// anything that is done after. Few entries come meanwhile and are left. Those of
// exchanges under way stay: nobody could resolve them in a queue that is not
// used yet.
func (j *Journal) Drain(ctx context.Context, q queue.Intents) error {
	for range drainRounds {
		toNote, toResolve, _ := j.remaining(false)
		if len(toNote)+len(toResolve) == 0 {
			return nil
		}
		if err := j.give(ctx, q, toNote, toResolve); err != nil {
			return err
		}
	}
	return nil
}

func (j *Journal) give(ctx context.Context, q queue.Intents, toNote, toResolve []*entry) error {
	if err := j.move(ctx, q, toNote); err != nil {
		return fmt.Errorf("handing over intents: %w", err)
	}
	if err := j.resolve(ctx, q, toResolve); err != nil {
		return fmt.Errorf("handing over what exchanges have changed: %w", err)
	}
	return nil
}

// remaining returns the entries that the queue does not have yet, in the order
// of their numbers. With end, those under way are among them, and if there are
// none, the journal is handed over.
func (j *Journal) remaining(end bool) (toNote, toResolve []*entry, done bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for id, one := range j.entries {
		switch {
		case !end && one.resolution == nil && !one.Abandoned:
		case one.moved == 0 && (one.resolution == nil || one.resolution.Unresolved != ""):
			toNote = append(toNote, one)
		case one.resolution != nil:
			toResolve = append(toResolve, one)
		case one.Abandoned:
			// The queue has it, and nobody else will ask for it.
			delete(j.entries, id)
		}
	}
	for _, entries := range [][]*entry{toNote, toResolve} {
		slices.SortFunc(entries, func(a, b *entry) int { return cmp.Compare(a.ID, b.ID) })
	}
	j.handedOver = j.handedOver || end && len(toNote)+len(toResolve) == 0
	return toNote, toResolve, j.handedOver
}

// move notes intents in the queue.
func (j *Journal) move(ctx context.Context, q queue.Intents, entries []*entry) error {
	return together(entries, func(one *entry) error {
		id, err := q.NoteIntent(ctx, one.Intent)
		if err != nil {
			if id != 0 {
				// It may be noted all the same, and is noted again.
				err = errors.Join(err, q.ResolveIntent(ctx, id, queue.Resolution{}, false))
			}
			return err
		}
		j.mu.Lock()
		defer j.mu.Unlock()
		one.moved = id
		if one.resolution == nil {
			j.handed(one)
		}
		return nil
	})
}

// resolve gives the queue what exchanges have changed, in their order, several
// in one step.
func (j *Journal) resolve(ctx context.Context, q queue.Intents, entries []*entry) error {
	var noted []*entry
	for chunk := range slices.Chunk(entries, resolvedTogether) {
		var all queue.Resolution
		var done []*entry
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
		j.forget(done...)
	}
	return together(noted, func(one *entry) error {
		err := queue.Resolve(ctx, q, one.moved, *one.resolution, true)
		if err == nil {
			j.forget(one)
		}
		return err
	})
}

// together does something with many entries at once, and returns one of the
// errors.
func together(entries []*entry, do func(one *entry) error) error {
	var (
		running sync.WaitGroup
		next    = make(chan *entry)
		mu      sync.Mutex
		failed  error
	)
	for range min(movers, len(entries)) {
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
	for _, one := range entries {
		next <- one
	}
	close(next)
	running.Wait()
	return failed
}

// forget forgets entries that the queue has.
func (j *Journal) forget(entries ...*entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, one := range entries {
		delete(j.entries, one.ID)
	}
	j.handed(entries...)
}

// handed writes that the queue has entries, so that the next process does not
// give them again. It waits for nothing: an entry that is given twice costs a
// look, or a second record. The caller holds the lock.
func (j *Journal) handed(entries ...*entry) {
	if frame := appendHanded(nil, entries); len(entries) > 0 && j.file.room(len(frame), maxBytes) {
		j.file.append(frame)
	}
}

// empty empties the file, once.
func (j *Journal) empty(ctx context.Context) error {
	j.mu.Lock()
	emptied := j.emptied
	j.mu.Unlock()
	if emptied {
		return nil
	}
	if err := j.file.empty(ctx); err != nil {
		return fmt.Errorf("emptying %s, which the next start takes up again: %w", queue.JournalFile, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.emptied = true
	return nil
}
