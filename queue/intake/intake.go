// SPDX-License-Identifier: Apache-2.0

// Package intake takes the intents and resolutions of exchanges, whether or not the
// queue can. It is the one place that decides what becomes of an intent:
//
//   - If the queue is open, the queue has it.
//   - While the queue is being opened for the first time in this process, the
//     journal has it: a file beside the queue that is as durable. The queue gets
//     its content before it is used for anything else. So it is while the server of
//     an open queue is away.
//   - If neither can take it, because a disk is full or hangs, or the queue was set
//     aside, the exchange passes, and its resource has a gap. When the exchange has
//     ended, its resolution is kept in memory until the queue takes it. A small file
//     names the resources: if the process dies before that, the next one looks at
//     all their objects.
package intake

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/journal"
)

// Door leads to the queue.
type Door interface {
	// Enter returns the open queue. It waits for a queue that is being opened, as
	// long as an exchange may wait for that. It fails with [queue.ErrNotOpen] if
	// exchanges are to pass without the queue.
	Enter(ctx context.Context) (queue.Store, error)
	// Queue returns the open queue, nil while it is not open.
	Queue() queue.Store
	// Failed reports whether the queue is not open and will not be soon.
	Failed() bool
}

// Metrics counts gaps.
type Metrics interface {
	// GapMarks counts objects that an exchange changed and that the queue could
	// not mark.
	GapMarks(resource string, n int)
	// Repaired counts a resolution that was kept and that the queue has taken, and
	// a resource whose objects are all looked at.
	Repaired(resource string)
	// Unresolved counts a change whose object is not known.
	Unresolved(resource string)
}

// Options configure an [Intake].
type Options struct {
	// Dir is the directory of the journal and of the file of gaps. Neither is
	// touched before [Intake.Own].
	Dir string
	// Timeout is how long an exchange waits for a disk. Default: [queue.Timeout].
	Timeout time.Duration
	// BeforeWrite, if not nil, is called before each write of the file of gaps.
	// Tests slow the disk down with it.
	BeforeWrite func()
	// Metrics counts gaps.
	Metrics Metrics
	// Logger logs what exchanges cause; it should limit how often it says the
	// same. GapsLogger logs what becomes of gaps.
	Logger, GapsLogger *zap.Logger
}

// Intake takes intents and resolutions.
type Intake struct {
	door    Door
	options Options
	log     *zap.Logger
	gaps    *gaps
	// journal is nil until the directory belongs to this process.
	journal atomic.Pointer[journal.Journal]
	// diverted is true while the journal takes what the open queue cannot.
	diverted atomic.Bool
}

// New returns an Intake in front of a queue.
func New(door Door, options Options) *Intake {
	if options.Timeout == 0 {
		options.Timeout = queue.Timeout
	}
	i := &Intake{
		door: door, options: options, log: options.Logger,
		gaps: newGaps(options.Dir, options.Timeout, options.GapsLogger, options.Metrics),
	}
	if options.BeforeWrite != nil {
		i.gaps.file.store = func(f gapFile, content []byte) error {
			options.BeforeWrite()
			return storeGaps(f, content)
		}
	}
	return i
}

// Own opens the files in the directory, which belongs to this process from now
// on, with what earlier processes left in them. It does nothing after Close: a
// queue may still be opened when nobody needs it any more.
func (i *Intake) Own(durability queue.Durability) {
	i.OwnGaps()
	i.openJournal(durability)
	if opened := i.journal.Load(); opened != nil && i.gaps.isClosed() {
		_ = opened.Close()
	}
}

// OwnGaps opens the file of gaps alone.
func (i *Intake) OwnGaps() {
	i.gaps.adopt()
}

// Close closes the files. It is idempotent.
func (i *Intake) Close() error {
	i.gaps.close()
	if opened := i.journal.Load(); opened != nil {
		return opened.Close()
	}
	return nil
}

// Note notes an intent. If neither queue nor journal can, a gap stands for it: the
// resource is looked at if the process dies before the exchange has ended.
func (i *Intake) Note(ctx context.Context, intent queue.Intent) (queue.IntentID, error) {
	store, err := i.door.Enter(ctx)
	switch {
	case err == nil:
		return i.noteIn(ctx, store, intent)
	case !errors.Is(err, queue.ErrNotOpen):
		i.log.Error("noting an intent", zap.String("rule", intent.Rule), zap.Error(err))
	default:
		id, problem := i.noteInJournal(ctx, intent)
		switch opened := i.door.Queue(); {
		case problem == nil:
			return id, nil
		case id != 0:
			i.pass(ctx, id, intent)
			return id, problem
		case errors.Is(problem, journal.ErrHandedOver) && opened != nil:
			// The exchange may have no time left, but the disk is not to blame.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), i.options.Timeout)
			defer cancel()
			return i.noteIn(ctx, opened, intent)
		}
	}
	i.pass(ctx, 0, intent)
	return 0, err
}

// noteIn notes an intent in the open queue.
func (i *Intake) noteIn(ctx context.Context, store queue.Store, intent queue.Intent) (queue.IntentID, error) {
	if queue.LevelOf(store) == queue.SpaceLow {
		if i.pass(ctx, 0, intent) {
			// Intents would fill the disk. One note for the resource is as good,
			// if less exact.
			return 0, nil
		}
		i.gaps.ended(0)
	}
	if queue.IsRemote(store) {
		return i.noteAfar(ctx, store, intent)
	}
	if i.stalled(store) {
		i.log.Warn("the disk of the queue does not answer: exchanges pass without it", zap.String("rule", intent.Rule))
		i.pass(ctx, 0, intent)
		return 0, queue.ErrNotOpen
	}
	id, err := store.NoteIntent(ctx, intent)
	if err != nil {
		i.log.Error("noting an intent", zap.String("rule", intent.Rule), zap.Error(err))
		i.pass(ctx, id, intent)
	}
	return id, err
}

// stalled reports whether the disk has not answered for as long as an exchange
// waits for it. Then later exchanges do not wait for it.
func (i *Intake) stalled(store queue.Store) bool {
	return queue.StallerOf(store).Stalled() >= i.options.Timeout
}

// pass notes that an exchange passes without an intent, or with one that may be
// noted late, and reports whether that survives a crash.
func (i *Intake) pass(ctx context.Context, late queue.IntentID, intent queue.Intent) bool {
	resources := []string{intent.Resource}
	for n := range intent.Touches {
		// A query has a name that begins with its resource's.
		resource, _, _ := strings.Cut(intent.Touches[n].Resource, "@")
		resources = append(resources, resource)
	}
	return i.gaps.passes(ctx, late, intent.Kind, resources...)
}

// Resolve resolves an intent, or keeps the resolution until the queue takes it.
func (i *Intake) Resolve(ctx context.Context, resource string, id queue.IntentID, resolution queue.Resolution, durable bool) {
	if i.gaps.passed(id) {
		// No intent would bring its objects back after a crash, and the gap that
		// does may close when the exchange has ended.
		durable = true
		defer i.gaps.ended(id)
	}
	if journal.Holds(id) {
		if id = i.resolveInJournal(ctx, resource, id, resolution, durable); id == 0 {
			return
		}
	}
	if id == 0 && len(resolution.Marks) == 0 && resolution.Unresolved == "" {
		return
	}
	one := kept{resource: resource, intent: id, resolution: resolution}
	store := i.door.Queue()
	if store != nil && queue.IsRemote(store) && i.resolveAfar(ctx, store, one, durable) {
		return
	}
	// If an exchange without an intent is about an unknown object, all objects of
	// its resource are looked at.
	if store == nil || i.stalled(store) || id == 0 && resolution.Unresolved != "" {
		i.miss(ctx, one)
		return
	}
	err := queue.Resolve(ctx, store, id, resolution, durable)
	if err == nil {
		return
	}
	// A queue that closes is opened again.
	if !errors.Is(err, queue.ErrClosed) && !errors.Is(err, queue.ErrFull) && !errors.Is(err, queue.ErrDisk) {
		i.log.Error("resolving an intent", zap.String("resource", resource), zap.Error(err))
	}
	i.miss(ctx, one)
}

// miss counts a resolution that the queue could not take, and keeps it until it
// can.
func (i *Intake) miss(ctx context.Context, one kept) {
	if len(one.resolution.Marks) == 0 && one.resolution.Unresolved == "" {
		// Nothing was changed. An intent that stays open costs one look.
		return
	}
	i.options.Metrics.GapMarks(one.resource, max(len(one.resolution.Marks), 1))
	i.gaps.keep(ctx, one)
}

// Whole has all objects of all resources looked at, because changes may be missing
// in the queue. The error says why a crash would forget that.
func (i *Intake) Whole(ctx context.Context) error {
	return i.gaps.whole(ctx, allResources)
}

// Passing returns how many exchanges under way pass without the queue.
func (i *Intake) Passing() int {
	i.gaps.mu.Lock()
	defer i.gaps.mu.Unlock()
	return i.gaps.passing
}

// Gaps returns the open gaps, in the order of their resources' names.
func (i *Intake) Gaps() []Gap {
	return i.gaps.list()
}

// Unrepaired reports whether the queue lacks anything because of a gap. It does not
// if a gap is only open because exchanges are under way.
func (i *Intake) Unrepaired() bool {
	return i.gaps.waiting()
}
