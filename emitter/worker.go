// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// idleWorker is how long a goroutine waits for another attempt after it has
// made one.
const idleWorker = time.Second

// begin starts the attempt of a delivery, or returns the delivery to the queue
// if its receiver must not get it now.
func (d *dispatcher) begin(leasing, attempting context.Context, inFlight *sync.WaitGroup, lease queue.DeliveryLease) {
	job := &job{lease: lease, held: d.charge(&lease)}
	d.standing.occupy(d.options.Now())
	if d.target.Resolve == nil && d.standing.begin(d.limits, d.limits.receiver, d.options.Now()) > 0 {
		// Something has changed since the delivery was requested.
		d.done(job)
		d.release(lease)
		return
	}
	select {
	case d.jobs <- job:
		// A worker has just become free.
	default:
		inFlight.Go(func() { d.work(leasing, attempting, job) })
	}
}

// job is a delivery that a worker attempts, with the memory that it holds.
type job struct {
	lease queue.DeliveryLease
	held  claim
}

// work attempts a delivery, and then others for as long as they come: with a
// backlog, growing a new goroutine's stack costs as much as signing does.
func (d *dispatcher) work(leasing, attempting context.Context, next *job) {
	idle := time.NewTimer(idleWorker)
	defer idle.Stop()
	for {
		d.deliver(attempting, &next.lease)
		d.done(next)
		idle.Reset(idleWorker)
		select {
		case next = <-d.jobs:
		case <-idle.C:
			return
		case <-leasing.Done():
			return
		}
	}
}

// done returns everything that an attempt has taken.
func (d *dispatcher) done(j *job) {
	d.emitter.gate.free(j.held.size, j.held.of)
	d.standing.hold(-j.held.size)
	d.standing.leave()
}
