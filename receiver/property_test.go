// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// drawn are the events of a run, and what happens to each delivery.
type drawn struct {
	w *world
	// delays are when each event is sent first, in milliseconds: they come in any order.
	delays []int
	// times is how often each event is sent at least.
	times []int
	// lost are the events that are never sent.
	lost []bool
}

func draw(t *rapid.T, losing bool) drawn {
	d := drawn{w: &world{t: t, disk: NewMemory(0), trouble: true, filtered: make(map[string]bool)}}
	counts := make(map[string]uint64)
	for range rapid.IntRange(1, 14).Draw(t, "events") {
		object := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "object")
		counts[object]++
		e := someEvent(object, counts[object])
		d.w.events = append(d.w.events, e)
		d.delays = append(d.delays, rapid.IntRange(0, 3000).Draw(t, "delay"))
		d.times = append(d.times, rapid.IntRange(1, 3).Draw(t, "times"))
		d.lost = append(d.lost, losing && rapid.IntRange(0, 2).Draw(t, "lost") == 0)
		if losing && rapid.IntRange(0, 5).Draw(t, "filtered") == 0 {
			d.w.filtered[e.ID], d.lost[len(d.lost)-1] = true, true
		}
	}
	d.w.rolls = rapid.SliceOfN(rapid.IntRange(0, 24), 1, 40).Draw(t, "rolls")
	return d
}

// processes starts another process whenever one has died.
type processes struct {
	w      *world
	change func(*Options)

	mu sync.Mutex
	r  *Receiver
	l  *life
}

func (p *processes) current() (*Receiver, *life) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.l == nil || p.l.dead.Err() != nil {
		p.r, p.l = p.w.start(p.change)
	}
	return p.r, p.l
}

// send sends an event until it was taken so often.
func (p *processes) send(w *world, i, delay, times int) {
	time.Sleep(time.Duration(delay) * time.Millisecond)
	for taken := 0; taken < times; {
		r, l := p.current()
		if w.deliver(r, l, w.events[i]) == http.StatusNoContent {
			taken++
			continue
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// run sends everything, with trouble; whoever waits for events that are lost gets them
// from the feed.
func (d drawn) run(change func(*Options), feed bool) {
	p := &processes{w: d.w, change: change}
	var senders sync.WaitGroup
	for i := range d.w.events {
		if !d.lost[i] {
			senders.Go(func() { p.send(d.w, i, d.delays[i], d.times[i]) })
		}
	}
	senders.Wait()
	d.w.mu.Lock()
	d.w.trouble = false
	d.w.mu.Unlock()
	r, l := p.current()
	defer l.die()
	if !feed {
		return
	}
	if err := r.CatchUp(l.dead); err != nil {
		d.w.t.Fatal("catching up:", err)
	}
}

// Whatever is repeated, swapped and cut off by crashes, each event is handled once, and
// those of an object in order: as long as it is held back for long enough.
func TestOnceAndInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := draw(rt, false)
		var err error
		synctest.Test(t, func(*testing.T) {
			d.run(func(o *Options) { o.Hold = time.Hour }, false)
			err = d.w.check()
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// What is lost on the way is fetched from the feed, in order.
func TestLostIsFetched(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := draw(rt, true)
		var err error
		synctest.Test(t, func(*testing.T) {
			d.run(func(o *Options) { o.Feed = d.w.feed() }, true)
			err = d.w.check()
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// Who only follows the feed gets everything, too, also while deliveries come.
func TestFollow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := draw(rt, true)
		pushed := rapid.Bool().Draw(rt, "pushed")
		var err error
		synctest.Test(t, func(*testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			p := &processes{w: d.w, change: func(o *Options) { o.Feed = d.w.feed() }}
			var work sync.WaitGroup
			work.Go(func() {
				for ctx.Err() == nil {
					r, l := p.current()
					during, stop := context.WithCancel(ctx)
					context.AfterFunc(l.dead, stop)
					_ = r.Follow(during)
					stop()
				}
			})
			for i := range d.w.events {
				if pushed && !d.lost[i] {
					work.Go(func() { p.send(d.w, i, d.delays[i], d.times[i]) })
				}
			}
			time.Sleep(time.Hour)
			d.w.mu.Lock()
			d.w.trouble = false
			d.w.mu.Unlock()
			time.Sleep(time.Hour)
			cancel()
			work.Wait()
			_, l := p.current()
			l.die()
			err = d.w.check()
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// Without a feed, what is lost is a gap that is told, and the rest stays in order, once.
func TestGapsAreTold(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := draw(rt, true)
		synctest.Test(t, func(*testing.T) { d.run(func(o *Options) { o.Hold = time.Hour }, false) })
		var missing []string
		last := make(map[string]uint64)
		for _, name := range d.w.handled {
			object, number := name[:len("items/a")], name[len("items/a#"):]
			n, err := strconv.ParseUint(number, 10, 64)
			if err != nil {
				rt.Fatal(err)
			}
			if n <= last[object] {
				rt.Fatalf("handled %v", d.w.handled)
			}
			for m := last[object] + 1; m < n; m++ {
				missing = append(missing, object+"#"+strconv.FormatUint(m, 10))
			}
			last[object] = n
		}
		told := make(map[string]bool)
		for _, n := range d.w.notices {
			for m := n.After + 1; n.Kind == Gap && m < n.Before; m++ {
				told[n.Event.Object+"#"+strconv.FormatUint(m, 10)] = true
			}
		}
		for _, name := range missing {
			if !told[name] {
				rt.Fatalf("%s is missing, and not told", name)
			}
		}
		for i, e := range d.w.events {
			name := e.Key.String() + "#" + strconv.FormatUint(e.Sequence, 10)
			if told[name] && !d.lost[i] {
				rt.Fatalf("%s is told as missing, and was not lost", name)
			}
		}
	})
}
