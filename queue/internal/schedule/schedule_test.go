// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Items with the same hash stay apart, and come in the order in which they are
// due.
func TestOrderAndCollisions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := time.Unix(1000, 0)
		s := New(func() time.Time { return clock }, Hooks[int]{})
		s.mask = 3
		type name struct{ group, key string }
		want := make(map[name]int64)
		for range rapid.IntRange(0, 60).Draw(t, "puts") {
			n := name{
				rapid.SampledFrom([]string{"a", "b"}).Draw(t, "group"),
				strconv.Itoa(rapid.IntRange(0, 20).Draw(t, "key")),
			}
			due := rapid.Int64Range(0, 50).Draw(t, "due")
			s.Put(n.group, n.key, due, int(due))
			want[n] = due
		}
		for _, group := range []string{"a", "b"} {
			last := int64(-1)
			for {
				ctx, cancel := context.WithCancel(context.Background())
				cancelIfIdle(s, group, cancel)
				held, err := s.Lease(ctx, group, time.Second)
				cancel()
				if err != nil {
					break
				}
				n := name{held.Group, held.Key}
				if due, known := want[n]; !known || due != held.Due || int(due) != held.Value {
					t.Fatalf("got %+v, want it due at %d", held, due)
				}
				if held.Due < last {
					t.Fatalf("%d comes after %d", held.Due, last)
				}
				last = held.Due
				delete(want, n)
				if _, err := s.Pin(held.Fence); err != nil {
					t.Fatal(err)
				}
				s.Finish(held.Fence, func(*int) (int64, bool) { return 0, false })
			}
		}
		if len(want) != 0 || len(s.index) != 0 || len(s.groups) != 0 || len(s.held) != 0 || len(s.fences) != 0 {
			t.Fatalf("left: %v, %d chains, %d groups, %d leases", want, len(s.index), len(s.groups), len(s.held))
		}
	})
}

// cancelIfIdle cancels a lease that would wait, as nothing is left.
func cancelIfIdle(s *Schedule[int], group string, cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.groups[group]; g == nil || g.size == 0 {
		cancel()
	}
}

// An item that is due earlier than the awaited one ends the wait, and the first
// waiter gets it.
func TestEarlierItemWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(time.Now, Hooks[int]{})
		began := time.Now()
		s.Put("g", "late", Nanos(began.Add(time.Hour)), 0)
		got := make(chan string, 2)
		for range 2 {
			go func() {
				held, err := s.Lease(t.Context(), "g", 24*time.Hour)
				if err != nil {
					t.Error(err)
				}
				got <- held.Key
			}()
		}
		synctest.Wait()
		s.Put("g", "early", Nanos(began.Add(time.Minute)), 0)
		if key := <-got; key != "early" || time.Since(began) != time.Minute {
			t.Errorf("got %s after %v", key, time.Since(began))
		}
		s.Retime("g", "late", Nanos(began.Add(2*time.Minute)))
		if key := <-got; key != "late" || time.Since(began) != 2*time.Minute {
			t.Errorf("got %s after %v", key, time.Since(began))
		}
	})
}

// A pinned lease does not pass, and cannot be pinned again. Without the pin,
// its time counts.
func TestPin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(time.Now, Hooks[int]{})
		s.Put("g", "k", Nanos(time.Now()), 0)
		held, err := s.Lease(t.Context(), "g", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Pin(held.Fence); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Pin(held.Fence); !errors.Is(err, queue.ErrLeaseLost) {
			t.Errorf("pinned twice: %v", err)
		}
		if err := s.Release(held.Fence); !errors.Is(err, queue.ErrLeaseLost) {
			t.Errorf("released while pinned: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := s.Lease(ctx, "g", time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("leased while pinned: %v", err)
		}
		if _, info, _ := s.Get("g", "k"); !info.Leased {
			t.Error("a pinned item does not count as leased")
		}
		s.Unpin(held.Fence)
		if _, err := s.Pin(held.Fence); !errors.Is(err, queue.ErrLeaseLost) {
			t.Errorf("pinned after its time: %v", err)
		}
		again, err := s.Lease(t.Context(), "g", time.Minute)
		if err != nil || again.Fence == held.Fence {
			t.Errorf("got %+v and %v", again, err)
		}
	})
}

// Groups without items are forgotten, also those that only had waiters.
func TestGroupsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(time.Now, Hooks[int]{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Lease(ctx, "g", time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if len(s.groups) != 0 {
			t.Errorf("left: %v", s.groups)
		}
	})
}

// Items of the second band are leased only while none of the first is due. An
// item's band follows its value.
func TestBands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(time.Now, Hooks[int]{Second: func(value *int) bool { return *value < 0 }})
		now := Nanos(time.Now())
		s.Put("g", "second", now-10, -1)
		s.Put("g", "later", now+1, 0)
		s.Put("g", "first", now, 1)
		s.Put("g", "changes", now-20, -1)
		s.Update("g", "changes", func(value *int) { *value = 2 })
		for _, want := range []string{"changes", "first", "second", "later"} {
			held, err := s.Lease(t.Context(), "g", time.Minute)
			if err != nil || held.Key != want {
				t.Fatalf("got %s and %v, want %s", held.Key, err, want)
			}
			if want != "first" {
				continue
			}
			if _, err := s.Pin(held.Fence); err != nil {
				t.Fatal(err)
			}
			s.Finish(held.Fence, func(value *int) (int64, bool) {
				*value = -5
				return now, true
			})
			if held, err = s.Lease(t.Context(), "g", time.Minute); err != nil || held.Key != "second" {
				t.Fatalf("got %s and %v, want second", held.Key, err)
			}
			if held, err = s.Lease(t.Context(), "g", time.Minute); err != nil || held.Key != "first" {
				t.Fatalf("got %s and %v, want first again", held.Key, err)
			}
			if held, err = s.Lease(t.Context(), "g", time.Minute); err != nil || held.Key != "later" {
				t.Fatalf("got %s and %v, want later", held.Key, err)
			}
			return
		}
	})
}

// With an order of the whole group, nothing is leased while the result for
// another item is being committed: that may fail.
func TestPinnedIsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(time.Now, Hooks[int]{Position: func(value *int) uint64 { return uint64(*value) }, Reset: func(*int) {}})
		s.SetOrder("g", queue.OrderEndpoint)
		s.Put("g", "later", Nanos(time.Now()), 2)
		s.Put("g", "first", Nanos(time.Now()), 1)
		held, err := s.Lease(t.Context(), "g", time.Minute)
		if err != nil || held.Key != "first" {
			t.Fatalf("got %s and %v, want first", held.Key, err)
		}
		if _, err := s.Pin(held.Fence); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if other, err := s.Lease(ctx, "g", time.Minute); err == nil {
			t.Errorf("got %s", other.Key)
		}
	})
}

func TestNanos(t *testing.T) {
	for _, test := range []struct {
		at   time.Time
		want int64
	}{
		{time.Time{}, math.MinInt64},
		{time.Unix(1, 2), 1_000_000_002},
		{time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), math.MaxInt64},
	} {
		if got := Nanos(test.at); got != test.want {
			t.Errorf("Nanos(%v) = %d, want %d", test.at, got, test.want)
		}
	}
}

// A million items take no more than 128 MiB, keys included.
func TestMillionItems(t *testing.T) {
	type lane [3]uint64
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := New(time.Now, Hooks[lane]{})
	for n := range 1_000_000 {
		s.Put("erp", "items/"+strconv.Itoa(1_000_000+n), rand.Int64(), lane{})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := float64(after.HeapAlloc-before.HeapAlloc) / 1e6
	t.Logf("%.0f bytes an item", each)
	if each > 128 {
		t.Errorf("an item takes %.0f bytes", each)
	}
	runtime.KeepAlive(s)
}

func BenchmarkLeaseFinish(b *testing.B) {
	s := New(time.Now, Hooks[int]{})
	for n := range 100_000 {
		s.Put("g", strconv.Itoa(n), 0, n)
	}
	b.ReportAllocs()
	for b.Loop() {
		held, err := s.Lease(b.Context(), "g", time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Pin(held.Fence); err != nil {
			b.Fatal(err)
		}
		s.Finish(held.Fence, func(*int) (int64, bool) { return Nanos(time.Now()), true })
	}
}
