// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// A lease whose holder does not know of it would pass only with its time, and what it holds
// would wait for minutes. There are two kinds: of a node that is dead, and of this one, when
// the database has not answered as the lease was to be given or to end.

// doubts are leases of this node that may be there, and that nobody here holds any more.
type doubts struct {
	mu  sync.Mutex
	all freeing
}

// maxDoubts limits them; more pass with their time.
const maxDoubts = 1 << 12

// freeing names leases that are given back.
type freeing struct {
	objects, endpoints, lanes [][]byte
	markFences, laneFences    []int64
}

func (f *freeing) mark(object []byte, fence int64) {
	f.objects, f.markFences = append(f.objects, bytes.Clone(object)), append(f.markFences, fence)
}

func (f *freeing) lane(endpoint, lane []byte, fence int64) {
	f.endpoints, f.lanes = append(f.endpoints, bytes.Clone(endpoint)), append(f.lanes, bytes.Clone(lane))
	f.laneFences = append(f.laneFences, fence)
}

func (f *freeing) len() int { return len(f.markFences) + len(f.laneFences) }

// fill adds the statements that give the leases back. Each is named, as the tables may be long.
func (f *freeing) fill(b *batch) {
	b.do(`update webhooks.mark m set wake = 0, until = 0, fence = 0
		from unnest($1::bytea[], $2::bigint[]) h (object, fence) where m.object = h.object and m.fence = h.fence`, f.objects, f.markFences)
	b.do(`update webhooks.lane l set wake = 0, until = 0, fence = 0
		from unnest($1::bytea[], $2::bytea[], $3::bigint[]) h (endpoint, lane, fence)
		where l.endpoint = h.endpoint and l.lane = h.lane and l.fence = h.fence`, f.endpoints, f.lanes, f.laneFences)
}

// add notes a lease that may be there.
func (d *doubts) add(note func(f *freeing)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all.len() < maxDoubts {
		note(&d.all)
	}
}

// doubtMark notes a lease that was to end, if nobody knows whether it has.
func (s *Store) doubtMark(lease *queue.MarkLease, err error) {
	if unanswered(err) {
		s.doubts.add(func(f *freeing) { f.mark(objectOf(lease.Key), int64(lease.Fence)) })
	}
}

// copy returns the leases that are in doubt now.
func (d *doubts) copy() freeing {
	d.mu.Lock()
	defer d.mu.Unlock()
	return freeing{
		objects: slices.Clone(d.all.objects), markFences: slices.Clone(d.all.markFences),
		endpoints: slices.Clone(d.all.endpoints), lanes: slices.Clone(d.all.lanes), laneFences: slices.Clone(d.all.laneFences),
	}
}

// drop forgets leases that copy has returned.
func (d *doubts) drop(freed *freeing) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = freeing{
		objects: slices.Clone(d.all.objects[len(freed.objects):]), markFences: slices.Clone(d.all.markFences[len(freed.markFences):]),
		endpoints: slices.Clone(d.all.endpoints[len(freed.endpoints):]), lanes: slices.Clone(d.all.lanes[len(freed.lanes):]),
		laneFences: slices.Clone(d.all.laneFences[len(freed.laneFences):]),
	}
}

// freeDoubts gives back the leases that are in doubt.
func (s *Store) freeDoubts(ctx context.Context) error {
	doubtful := s.doubts.copy()
	if doubtful.len() == 0 {
		return nil
	}
	err := s.say(ctx, loose, doubtful.fill)
	if err == nil {
		s.doubts.drop(&doubtful)
	}
	return err
}

// bury calls a node dead, if it has not beaten since, and gives back what it had leased. It
// looks through all that waits, once for each death, and waits for nobody: what is locked is
// being decided, or passes with its time.
func (s *Store) bury(ctx context.Context, node, beat int64) error {
	first, last := node<<numberBits, (node+1)<<numberBits-1
	return s.say(ctx, loose, func(b *batch) {
		b.do("update webhooks.node set dead = true where id = $1 and beat = $2", node, beat)
		const dead = "exists (select from webhooks.node where id = $3 and dead)"
		b.do(`update webhooks.mark m set wake = 0, until = 0, fence = 0 from (
			select object from webhooks.mark where fence between $1 and $2 and `+dead+` for update skip locked) held
			where m.object = held.object`, first, last, node)
		b.do(`update webhooks.lane l set wake = 0, until = 0, fence = 0 from (
			select endpoint, lane from webhooks.lane where fence between $1 and $2 and `+dead+` for update skip locked) held
			where l.endpoint = held.endpoint and l.lane = held.lane`, first, last, node)
	})
}
