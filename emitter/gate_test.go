// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestGate(t *testing.T) {
	g := newGate(1000)
	if !g.try(600, proven) || g.try(600, proven) || !g.try(150, proven) || g.try(1, proven) {
		t.Fatal("the gate does not count")
	}
	if !g.try(250, unproven) || g.try(1, unproven) || g.inFlight() != 1000 {
		t.Fatal("one class uses the memory of the other")
	}
	g.free(750, proven)
	g.free(250, unproven)
	for _, of := range []class{proven, unproven} {
		if got := g.weigh(1<<40, overhead); !g.try(got, of) {
			t.Errorf("a payload that is larger than the memory weighs %d", got)
		}
	}
}

// TestGateLetsThoseThroughWhoWait checks that waiters are admitted in order,
// and that none waits behind one whose receiver may hang.
func TestGateLetsThoseThroughWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1000)
		g.take(750, proven)
		g.take(250, unproven)
		var order []string
		wait := func(name string, size int64, of class) {
			go func() {
				if g.wait(t.Context(), size, of) == nil {
					order = append(order, name)
				}
			}()
			synctest.Wait()
		}
		wait("hangs", 200, unproven)
		wait("large", 600, proven)
		wait("small", 10, proven)
		if g.try(1, proven) {
			t.Error("a newcomer was admitted before a waiter")
		}
		for _, step := range []struct {
			size int64
			of   class
			want []string
		}{
			{100, proven, nil},
			{500, proven, []string{"large"}},
			{10, proven, []string{"large", "small"}},
			{190, unproven, []string{"large", "small"}},
			{10, unproven, []string{"large", "small", "hangs"}},
		} {
			g.free(step.size, step.of)
			synctest.Wait()
			if !slices.Equal(order, step.want) {
				t.Errorf("admitted: %q, want %q", order, step.want)
			}
		}
	})
}

func TestGateForgetsThoseWhoLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1000)
		g.take(750, proven)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.wait(ctx, 500, proven); err == nil {
			t.Fatal("admitted")
		}
		g.free(750, proven)
		if g.inFlight() != 0 || !g.try(750, proven) {
			t.Errorf("%d in flight", g.inFlight())
		}
	})
}
