// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// allResources stands for all resources, where nobody knows which.
const allResources = "*"

// Bounds of gaps.
const (
	// maxKept is how many resolutions are kept in memory. Beyond that, whole
	// resources are looked at.
	maxKept = 1 << 16
	// gapLingers is how long a gap stays when all exchanges that passed have
	// ended, and what they changed is in the queue: more may come, and each that
	// begins a gap waits for its file.
	gapLingers = 10 * time.Second
	// gapOutlived is how long it stays where some have not. It is longer than
	// any exchange.
	gapOutlived = 10 * time.Minute
)

// Gap is what passed of a resource while the queue could not take it.
type Gap struct {
	// Resource names it; allResources is all.
	Resource string `json:"resource"`
	// Since is when it began.
	Since time.Time `json:"since"`
	// Deletes is true if a delete may be in it.
	Deletes bool `json:"deletes,omitempty"`

	// last is when something passed last. A gap of an earlier process has
	// none.
	last time.Time
	// whole is true if all objects of the resource are to be looked at.
	whole bool
}

// gaps knows what the queue has to make up for. What exchanges that passed
// changed is known when they end, and kept in memory until the queue takes it.
// A file says which resources are concerned: if the process dies, the next
// one looks at all their objects.
type gaps struct {
	dir     string
	log     *zap.Logger
	metrics Metrics

	file *gapWriter

	mu sync.Mutex
	// adopted is true while the file is open, closed when it will not be again.
	adopted, closed bool

	open map[string]*Gap
	kept []kept
	// passing counts the exchanges that pass and have not ended, and late are
	// those of them whose intent may be noted all the same.
	passing int
	late    map[queue.IntentID]struct{}
	// looked is how far the repair of a gap has come.
	looked progress
}

func newGaps(dir string, timeout time.Duration, log *zap.Logger, metrics Metrics) *gaps {
	return &gaps{dir: dir, log: log, metrics: metrics, file: newGapWriter(timeout, log), open: make(map[string]*Gap), late: make(map[queue.IntentID]struct{})}
}

// adopt opens the file, and takes over what an earlier process has left. The
// directory must be ours.
func (g *gaps) adopt() {
	if g.isAdopted() {
		return
	}
	// Without the lock: exchanges pass meanwhile, and the disk may hang.
	f, err := os.OpenFile(filepath.Join(g.dir, queue.GapsFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		g.log.Error("opening the file of gaps: what passes without the queue is known until this process ends only", zap.Error(err))
		return
	}
	content := make([]byte, gapsSize)
	n, _ := f.ReadAt(content, 0)
	left, err := decodeGaps(content[:n])
	if err != nil {
		g.log.Error("reading the file of gaps: all resources are looked at", zap.Error(err))
		left = []Gap{{Resource: allResources, Since: time.Now(), Deletes: true}}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		_ = f.Close()
		return
	}
	g.file.open(f)
	g.adopted = true
	for _, one := range left {
		one.whole = true
		if passed := g.open[one.Resource]; passed != nil {
			// It passed before the file was ours.
			one.last, one.Deletes = passed.last, one.Deletes || passed.Deletes
		}
		g.open[one.Resource] = &one
		g.log.Warn("an earlier process let changes pass without the queue; their resource is looked at",
			zap.String("resource", one.Resource), zap.Time("since", one.Since))
	}
	g.write()
}

func (g *gaps) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

func (g *gaps) isAdopted() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.adopted
}

// passes notes, before it is forwarded, that an exchange passes without an
// intent, or with one that may be noted late. It tells whether that will survive
// a crash, and waits for the disk no longer than ctx. Ended must follow.
func (g *gaps) passes(ctx context.Context, late queue.IntentID, kind event.Kind, resources ...string) bool {
	g.pass(late, kind, resources)
	return g.file.wait(ctx) == nil
}

func (g *gaps) pass(late queue.IntentID, kind event.Kind, resources []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.passing++
	if late != 0 {
		g.late[late] = struct{}{}
	}
	changed := false
	for _, resource := range resources {
		one := g.open[resource]
		if one == nil {
			one = &Gap{Resource: resource, Since: time.Now()}
			g.open[resource] = one
			changed = true
		}
		one.last = time.Now()
		if kind == event.KindDelete && !one.Deletes {
			one.Deletes = true
			changed = true
		}
	}
	if changed {
		g.write()
	}
}

// passed tells whether an exchange passes, by its intent's number.
func (g *gaps) passed(id queue.IntentID) bool {
	if id == 0 {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	_, late := g.late[id]
	return late
}

// ended notes that an exchange that passed has ended, and that what it changed
// is kept, here or in the queue.
func (g *gaps) ended(id queue.IntentID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.passing--
	delete(g.late, id)
}

// closeOld closes the gaps that nothing is left of, some time after that.
func (g *gaps) closeOld(lingers time.Duration) {
	changed := false
	for resource, one := range g.open {
		since := time.Since(one.last)
		if !one.whole && len(g.kept) == 0 && (g.passing == 0 && since >= lingers || since > gapOutlived) {
			delete(g.open, resource)
			changed = true
		}
	}
	if changed {
		g.write()
	}
}

// keep keeps what an exchange has changed until the queue takes it. It waits
// for the disk no longer than ctx.
func (g *gaps) keep(ctx context.Context, one kept) {
	if !g.keeping(one) {
		_ = g.file.wait(ctx) // it is logged, and the gap is known all the same
	}
}

// keeping tells whether there was room for it.
func (g *gaps) keeping(one kept) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.kept) < maxKept && one.resolution.Unresolved == "" {
		g.kept = append(g.kept, one)
		return true
	}
	// A change whose object nobody knows is found by looking at all of them.
	resources := []string{one.resource}
	for i := range one.resolution.Marks {
		resources = append(resources, one.resolution.Marks[i].Key.Resource)
	}
	g.wholeLocked(resources...)
	return false
}

// whole has all objects of resources looked at. The error says why that may be
// lost if the process dies; it waits for the disk no longer than ctx.
func (g *gaps) whole(ctx context.Context, resources ...string) error {
	g.mu.Lock()
	g.wholeLocked(resources...)
	g.mu.Unlock()
	return g.file.wait(ctx)
}

func (g *gaps) wholeLocked(resources ...string) {
	changed := false
	for _, resource := range resources {
		one := g.open[resource]
		if one == nil {
			one = &Gap{Resource: resource, Since: time.Now(), Deletes: true}
			g.open[resource] = one
			changed = true
		}
		one.whole = true
	}
	if changed {
		g.write()
	}
}

// expand replaces the gap of all resources by one for each of them.
func (g *gaps) expand(resources []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := g.open[allResources]
	if all == nil || len(resources) == 0 {
		return
	}
	delete(g.open, allResources)
	for _, resource := range resources {
		if one := g.open[resource]; one != nil {
			one.whole, one.Deletes = true, one.Deletes || all.Deletes
			continue
		}
		g.open[resource] = &Gap{Resource: resource, Since: all.Since, Deletes: all.Deletes, whole: true}
	}
	g.write()
}

// waiting tells whether there is anything that the queue has to make up for,
// and not only something that a crash would lose.
func (g *gaps) waiting() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, one := range g.open {
		if one.whole {
			return true
		}
	}
	return len(g.kept) > 0
}

// list returns the gaps that are open, by their names.
func (g *gaps) list() []Gap {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []Gap
	for _, one := range g.open {
		all = append(all, *one)
	}
	slices.SortFunc(all, func(a, b Gap) int { return strings.Compare(a.Resource, b.Resource) })
	return all
}

// write has the file written. It is small, and changes only when the first
// exchange of a resource passes.
func (g *gaps) write() {
	all := make([]Gap, 0, len(g.open))
	for _, one := range g.open {
		all = append(all, *one)
	}
	g.file.put(encodeGaps(all))
}

// close lets go of the file, after noting that what is still kept is lost to
// this process. It is idempotent.
func (g *gaps) close() {
	g.mu.Lock()
	for _, one := range g.kept {
		for i := range one.resolution.Marks {
			g.wholeLocked(one.resolution.Marks[i].Key.Resource)
		}
	}
	g.closeOld(0)
	g.adopted, g.closed = false, true
	g.mu.Unlock()
	g.file.close()
}
