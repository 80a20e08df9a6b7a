// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
)

// pending is the number of deliveries that wait in the large queue of P5, few
// the number in the small one.
var pending = flag.Int("pending", 1_000_000, "how many deliveries wait in the large queue of P5")

const (
	few         = 10_000
	p5Drained   = 20_000
	p5Rounds    = 3
	p5Writers   = 64
	p5Payload   = 1000
	p5Endpoints = 10
	// p5Unlimited is the number of events that are filled in without a memory
	// limit.
	p5Unlimited = 200_000
)

// limit is the Go memory limit of the processes: 400 MiB, and 160 MiB for each
// million deliveries beyond the first, as the queue keeps due deliveries in
// memory.
func limit() string {
	return fmt.Sprintf("GOMEMLIMIT=%dMiB", 400+max(0, *pending-1_000_000)*160/1_000_000)
}

// waiting is what a process reports about a queue in which deliveries wait.
type waiting struct {
	Rate    float64       `json:"rate"`    // deliveries, or events, per second
	First   time.Duration `json:"first"`   // from the process's start to the first delivery
	Peak    int64         `json:"peak"`    // peak resident memory, in bytes
	Private int64         `json:"private"` // peak memory without a file behind it, in bytes
	Tables  int64         `json:"tables"`  // on disk
	Logs    int64         `json:"logs"`    // on disk
}

// measurePending prints P5: how fast a queue with a million pending deliveries
// is drained, divided by one with ten thousand; how much memory the process
// has; and how long after its start the first delivery comes. Each step is its
// own process. It also prints how these figures grow.
func measurePending(l *lab) error {
	sink, err := server("sink", sinkAddress)
	if err != nil {
		return err
	}
	defer sink.stop()
	large, small := filepath.Join(l.dir, "large"), filepath.Join(l.dir, "small")
	var peak, private, filling int64
	filled := 0
	var restart time.Duration
	for _, target := range []int{*pending / 10, *pending / 3, *pending} {
		fill, err := l.pending("fill", large, target-filled, limit())
		if err != nil {
			return err
		}
		filled = target
		// Badger's work after the writes is not part of it.
		if _, err := l.pending("settle", large, 0, limit()); err != nil {
			return err
		}
		drain, err := l.pending("drain", large, p5Drained/10, limit())
		if err != nil {
			return err
		}
		filled -= p5Drained / 10
		fmt.Printf("P5.growth %d pending: filled with %.0f events/s and %d MiB, %d MiB of them private; drained with %.0f/s and %d MiB, %d MiB of them private; first delivery after %.2f s; %d MiB in tables, %d MiB in logs\n",
			target, fill.Rate, fill.Peak>>20, fill.Private>>20, drain.Rate, drain.Peak>>20, drain.Private>>20, drain.First.Seconds(), drain.Tables>>20, drain.Logs>>20)
		peak, private, restart = drain.Peak, drain.Private, drain.First
		filling = max(filling, fill.Private)
	}
	if _, err := l.pending("fill", small, few, limit()); err != nil {
		return err
	}
	var ratios, with, without []float64
	for i := range p5Rounds + 1 {
		a, err := l.pending("drain", large, p5Drained, limit())
		if err != nil {
			return err
		}
		// The small queue has as many again when it is drained.
		if _, err := l.pending("fill", small, p5Drained, limit()); err != nil {
			return err
		}
		b, err := l.pending("drain", small, p5Drained, limit())
		if err != nil {
			return err
		}
		if i == 0 {
			continue // warming up
		}
		peak, private = max(peak, a.Peak), max(private, a.Private)
		ratios, with, without = append(ratios, a.Rate/b.Rate), append(with, a.Rate), append(without, b.Rate)
	}
	fmt.Printf("P5.drain %.2f (%.0f deliveries/s with %d pending, %.0f/s with %d)\n", median(ratios), median(with), *pending, median(without), few)
	fmt.Printf("P5.memory %d MiB (with %d pending and %s, at most, draining, of what no file backs; %d MiB resident, with the pages of mapped tables, which the system takes back)\n", private>>20, *pending, limit(), peak>>20)
	fmt.Printf("P5.restart %.2f s (from the start of the process to the first delivery)\n", restart.Seconds())
	free, err := l.pending("fill", filepath.Join(l.dir, "unlimited"), min(p5Unlimited, *pending), "GOMEMLIMIT=off")
	if err != nil {
		return err
	}
	fmt.Printf("P5.filling %d MiB (the same while it is filled as fast as it goes; without GOMEMLIMIT %d MiB, with %.0f events/s)\n", filling>>20, free.Private>>20, free.Rate)
	return nil
}

// pending runs one step in its own process, with a Go memory limit in its
// environment.
func (l *lab) pending(step, dir string, n int, limit string) (waiting, error) {
	var told waiting
	self, err := os.Executable()
	if err != nil {
		return told, err
	}
	cmd := exec.Command(self, "pending", step, dir, strconv.Itoa(n), strconv.FormatInt(time.Now().UnixNano(), 10))
	cmd.Env = append(os.Environ(), limit)
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return told, fmt.Errorf("%s %d: %w", step, n, err)
	}
	err = json.Unmarshal(output, &told)
	return told, err
}

// runPending runs one step in that process: STEP DIR N STARTED.
func runPending(args []string) error {
	step, dir := args[0], args[1]
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	nanos, err := strconv.ParseInt(args[3], 10, 64)
	if err != nil {
		return err
	}
	store, err := badger.Open(badger.Options{Dir: dir, Durability: queue.Process})
	if err != nil {
		return err
	}
	var told waiting
	private := sample("RssAnon")
	switch step {
	case "fill":
		told.Rate, err = fillPending(store, n)
	case "drain":
		told.Rate, told.First, err = drainPending(store, n, time.Unix(0, nanos))
	case "settle":
		err = settle()
	}
	if err != nil {
		return err
	}
	told.Peak = resident("VmHWM")
	told.Tables, told.Logs, _ = badger.DiskUsage(dir)
	if err := store.Close(); err != nil {
		return err
	}
	told.Peak, told.Private = max(told.Peak, resident("VmHWM")), private()
	return json.NewEncoder(os.Stdout).Encode(told)
}

// settleLimit is how long a queue that was filled at full speed may take to merge its
// tables.
const settleLimit = 2 * time.Minute

// settle waits until this process has nothing left to do: until it has used less than a
// tenth of a processor for three seconds.
func settle() error {
	quiet := 0
	last, err := cpuOf(os.Getpid())
	for began := time.Now(); err == nil && quiet < 3 && time.Since(began) < settleLimit; quiet++ {
		time.Sleep(time.Second)
		before := last
		if last, err = cpuOf(os.Getpid()); last-before >= 100*time.Millisecond {
			quiet = -1
		}
	}
	return err
}

// resident reads a figure of this process's memory.
func resident(name string) int64 { return residentOf("self", name) }

// residentOf reads a figure of a process's memory from proc(5).
func residentOf(pid, name string) int64 {
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// sample samples a figure of this process's memory until the largest value is
// requested.
func sample(name string) (largest func() int64) {
	done, result := make(chan struct{}), make(chan int64)
	go func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		most := int64(0)
		for {
			most = max(most, resident(name))
			select {
			case <-ticker.C:
			case <-done:
				result <- most
				return
			}
		}
	}()
	return func() int64 {
		close(done)
		return <-result
	}
}

// fillPending commits events, each of another object and to one endpoint, at
// full speed.
func fillPending(store *badger.Store, n int) (float64, error) {
	var failed atomic.Pointer[error]
	var left atomic.Int64
	left.Store(int64(n))
	run := make([]byte, 8)
	_, _ = rand.Read(run)
	begin := time.Now()
	var writers sync.WaitGroup
	for writer := range p5Writers {
		writers.Go(func() {
			noise := make([]byte, p5Payload/2)
			for left.Add(-1) >= 0 {
				// Random payloads, which compression cannot shrink.
				_, _ = rand.Read(noise)
				// Its own resource, so that each writer leases the mark that it
				// made.
				key := event.Key{Resource: "w" + strconv.Itoa(writer), ID: hex.EncodeToString(noise[:8])}
				if err := publishPending(store, key, noise); err != nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	writers.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(n) / time.Since(begin).Seconds(), nil
}

func publishPending(store *badger.Store, key event.Key, noise []byte) error {
	ctx := context.Background()
	if err := store.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{Key: key}}}, false); err != nil {
		return err
	}
	lease, err := store.LeaseMark(ctx, key.Resource, time.Minute)
	if err != nil {
		return err
	}
	now := time.Now()
	return store.CommitReconciled(ctx, lease, queue.Reconciled{
		AskedAt: now, Snapshot: &event.Snapshot{Key: lease.Key, Sequence: 1, Hash: noise[:32]},
		Events: []queue.Routed{{Endpoints: []string{"e" + strconv.Itoa(int(noise[0])%p5Endpoints)}, Event: event.Event{
			ID: "evt_" + hex.EncodeToString(noise[:16]), Type: "items.updated", Key: lease.Key, Sequence: 1, Op: event.OpChange, Time: now,
			Freshness: event.FreshnessVersion, ContentType: "application/json", Payload: []byte(hex.EncodeToString(noise)),
		}}},
	})
}

// stopwatch counts the recorded deliveries, up to a number.
type stopwatch struct {
	*badger.Store
	left  atomic.Int64
	first atomic.Int64
	done  chan struct{}
}

// FinishAttempt implements queue.Deliveries.
func (s *stopwatch) FinishAttempt(ctx context.Context, lease queue.DeliveryLease, attempt queue.Attempt, verdict queue.Verdict) error {
	s.first.CompareAndSwap(0, time.Now().UnixNano())
	if err := s.Store.FinishAttempt(ctx, lease, attempt, verdict); err != nil {
		return err
	}
	if s.left.Add(-1) == 0 {
		close(s.done)
	}
	return nil
}

// drainPending delivers some of the pending deliveries. It returns the
// deliveries per second, and the time from the start of the process to the
// first one.
func drainPending(store *badger.Store, n int, started time.Time) (float64, time.Duration, error) {
	transport, err := egress.New(egress.Policy{AllowHTTP: true, AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, egress.Options{})
	if err != nil {
		return 0, 0, err
	}
	key, err := sign.ParseSecret("whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), 32)))
	if err != nil {
		return 0, 0, err
	}
	var targets []emitter.Target
	for i := range p5Endpoints {
		targets = append(targets, emitter.Target{Transport: transport, Endpoint: endpoint.Endpoint{
			Name: "e" + strconv.Itoa(i), URL: "http://" + sinkAddress + "/", Secrets: []sign.Secret{key},
		}})
	}
	s := &stopwatch{Store: store, done: make(chan struct{})}
	s.left.Store(int64(n))
	e := emitter.New(s, emitter.Options{})
	begin := time.Now()
	if err := e.Apply(targets); err != nil {
		return 0, 0, err
	}
	select {
	case <-s.done:
	case <-time.After(time.Minute):
		return 0, 0, errors.New("the deliveries do not end")
	}
	rate := float64(n) / time.Since(begin).Seconds()
	e.Stop(context.Background())
	return rate, time.Unix(0, s.first.Load()).Sub(started), nil
}
