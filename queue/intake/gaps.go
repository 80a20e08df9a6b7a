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

// allResources stands for all resources, if nobody knows which.
const allResources = "*"

// Limits of gaps.
const (
	// maxKept is how many resolutions are kept in memory. Beyond that, whole
	// resources are looked at.
	maxKept = 1 << 16
	// gapLingers is how long a gap stays open when all exchanges that passed have
	// ended, and what they changed is in the queue: more may come, and each that
	// begins a gap waits for its file.
	gapLingers = 10 * time.Second
	// gapOutlived is how long a gap stays open if some exchanges have not ended.
	// It is longer than any exchange.
	gapOutlived = 10 * time.Minute
)

// Gap says that exchanges of a resource passed while the queue could not take
// them.
type Gap struct {
	// Resource is the resource; "*" stands for all.
	Resource string `json:"resource"`
	// Since is when the gap began.
	Since time.Time `json:"since"`
	// Deletes is true if a delete may have passed.
	Deletes bool `json:"deletes,omitempty"`

	// last is when an exchange last passed. It is zero for a gap of an earlier
	// process.
	last time.Time
	// whole is true if all objects of the resource are to be looked at, and asked
	// counts how often that became necessary.
	whole bool
	asked int
}

// look has all objects of the resource looked at.
func (g *Gap) look() {
	g.whole = true
	g.asked++
}

// gaps holds the open gaps, and the resolutions that the queue could not take. A
// file names the resources: if the process dies, the next one looks at all their
// objects.
type gaps struct {
	dir     string
	log     *zap.Logger
	metrics Metrics

	file *gapWriter

	mu sync.Mutex
	// adopted is true while the file is open, closed when it will not be again.
	adopted, closed bool

	// open holds the open gaps, by resource, and kept the resolutions, oldest
	// first.
	open map[string]*Gap
	kept []kept
	// passing counts the exchanges under way that pass. Late has the intents of
	// those whose intent may be noted all the same.
	passing int
	late    map[queue.IntentID]struct{}
	// looked is how far the repair of the gap in work has come, and begun the
	// asked of that gap when its repair began.
	looked progress
	begun  int
}

func newGaps(dir string, timeout time.Duration, log *zap.Logger, metrics Metrics) *gaps {
	return &gaps{dir: dir, log: log, metrics: metrics, file: newGapWriter(timeout, log), open: make(map[string]*Gap), late: make(map[queue.IntentID]struct{})}
}

// adopt opens the file, with the gaps that earlier processes left. The directory
// must belong to this process.
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
		one.look()
		if passed := g.open[one.Resource]; passed != nil {
			// This one began before the file was open.
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

// passes notes, before an exchange is forwarded, that it passes without an intent,
// or with one that may be noted late. It reports whether that will survive a crash,
// and waits for the disk no longer than ctx. A call of ended must follow.
func (g *gaps) passes(ctx context.Context, late queue.IntentID, kind event.Kind, resources ...string) bool {
	g.pass(late, kind, resources)
	return g.file.wait(ctx) == nil
}

// pass counts an exchange, and opens the gaps of its resources.
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

// passed reports whether the exchange of an intent passes.
func (g *gaps) passed(id queue.IntentID) bool {
	if id == 0 {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	_, late := g.late[id]
	return late
}

// ended notes that an exchange that passed has ended, and that its resolution is
// kept, here or in the queue.
func (g *gaps) ended(id queue.IntentID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.passing--
	delete(g.late, id)
}

// closeOld closes the gaps of which nothing is left to do, some time after that. The
// caller holds the lock.
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

// keep keeps a resolution until the queue takes it. It waits for the disk no longer
// than ctx.
func (g *gaps) keep(ctx context.Context, one kept) {
	if !g.keeping(one) {
		_ = g.file.wait(ctx) // it is logged, and the gap is known all the same
	}
}

// keeping reports whether the resolution is kept. If not, the objects of its
// resources are looked at.
func (g *gaps) keeping(one kept) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.kept) < maxKept && one.resolution.Unresolved == "" {
		g.kept = append(g.kept, one)
		return true
	}
	// A change of an unknown object is found by looking at all objects.
	resources := []string{one.resource}
	for i := range one.resolution.Marks {
		resources = append(resources, one.resolution.Marks[i].Key.Resource)
	}
	g.wholeLocked(resources...)
	return false
}

// finish keeps an intent that the queue has, and that is to be closed there. Beyond what
// is kept, it stays open, and costs a look.
func (g *gaps) finish(one kept) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.kept) < maxKept {
		g.kept = append(g.kept, one)
	}
}

// whole has all objects of resources looked at. The error says why a crash would
// forget that. It waits for the disk no longer than ctx.
func (g *gaps) whole(ctx context.Context, resources ...string) error {
	g.mu.Lock()
	g.wholeLocked(resources...)
	g.mu.Unlock()
	return g.file.wait(ctx)
}

// wholeLocked is whole for a caller that holds the lock. It does not wait.
func (g *gaps) wholeLocked(resources ...string) {
	changed := false
	for _, resource := range resources {
		one := g.open[resource]
		if one == nil {
			one = &Gap{Resource: resource, Since: time.Now(), Deletes: true}
			g.open[resource] = one
			changed = true
		}
		one.look()
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
			one.Deletes = one.Deletes || all.Deletes
			one.look()
			continue
		}
		one := &Gap{Resource: resource, Since: all.Since, Deletes: all.Deletes}
		one.look()
		g.open[resource] = one
	}
	g.write()
}

// waiting reports whether there is anything to repair, and not only a gap that is
// open because exchanges are under way.
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

// list returns the open gaps, in the order of their resources' names.
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

// write has the file written. It is small, and changes only with the first exchange
// of a resource that passes. The caller holds the lock.
func (g *gaps) write() {
	all := make([]Gap, 0, len(g.open))
	for _, one := range g.open {
		all = append(all, *one)
	}
	g.file.put(encodeGaps(all))
}

// close closes the file. Before, it notes that the next process has to look at the
// resources of resolutions that are still kept. It is idempotent.
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
