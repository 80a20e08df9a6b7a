// SPDX-License-Identifier: Apache-2.0

package model

import (
	"errors"
	"fmt"
	"slices"
)

// ErrTooMany is returned if there are more states than can be explored.
var ErrTooMany = errors.New("too many states")

// maxStates limits an exploration. A state takes some hundred bytes of memory.
const maxStates = 4_000_000

// Result is the result of an exploration.
type Result struct {
	// States counts the different states that were reached.
	States int
	// Broken says which promise is broken, and how; empty if none is.
	Broken string
	// Trace describes the shortest way there, one step per line.
	Trace []string
}

// Explore reaches every state, breadth first, until it finds one that breaks a
// promise, or from which no end can be reached.
func Explore(o Options) (Result, error) {
	if len(o.Requests) > maxRequests {
		return Result{}, fmt.Errorf("%w: at most %d requests are explored", ErrTooMany, maxRequests)
	}
	e := explorer{options: &o, known: make(map[State]int32)}
	e.add(o.first(), -1, step{})
	for at := 0; at < len(e.states); at++ { //nolint:intrange // it grows
		current := e.states[at]
		if broken := o.broken(&current); broken != "" {
			return Result{States: len(e.states), Broken: broken, Trace: e.trace(at)}, nil
		}
		o.next(&current, func(by step, s State) { e.add(s, at, by) })
		if len(e.states) > maxStates {
			return Result{States: len(e.states)}, ErrTooMany
		}
	}
	result := Result{States: len(e.states)}
	if at := e.stuck(); at >= 0 {
		result.Broken, result.Trace = "STUCK: nothing that can happen leads to an end", e.trace(at)
	}
	return result, nil
}

// first is the state before the first request.
func (o *Options) first() State {
	s := State{now: 1, oldest: 1}
	if o.Exists {
		s.present = 1 << s.now
	}
	if o.Known {
		s.queue.snapshot = snapshot{known: true, gone: !o.Exists, state: s.now}
		s.queue.told = s.now
	}
	s.sync()
	return s
}

type explorer struct {
	options *Options
	known   map[State]int32
	states  []State
	parents []int32
	steps   []step
	// edges are all steps, as pairs of target and source state.
	edges [][2]int32
}

func (e *explorer) add(s State, from int, by step) {
	s.forget(e.options)
	at, reached := e.known[s]
	if !reached {
		at = int32(len(e.states))
		e.known[s] = at
		e.states = append(e.states, s)
		e.parents = append(e.parents, int32(from))
		e.steps = append(e.steps, by)
	}
	if from >= 0 {
		e.edges = append(e.edges, [2]int32{at, int32(from)})
	}
}

// trace describes how a state was reached.
func (e *explorer) trace(at int) []string {
	var lines []string
	for ; e.parents[at] >= 0; at = int(e.parents[at]) {
		lines = append(lines, e.options.describe(e.steps[at], &e.states[at]))
	}
	slices.Reverse(lines)
	return lines
}

// stuck returns the first state from which no end can be reached, or -1.
func (e *explorer) stuck() int {
	ways := make(map[int32][]int32, len(e.states))
	for _, edge := range e.edges {
		ways[edge[0]] = append(ways[edge[0]], edge[1])
	}
	ends := make([]bool, len(e.states))
	var open []int32
	for at := range e.states {
		if e.states[at].over() {
			ends[at] = true
			open = append(open, int32(at))
		}
	}
	for len(open) > 0 {
		at := open[len(open)-1]
		open = open[:len(open)-1]
		for _, from := range ways[at] {
			if !ends[from] {
				ends[from] = true
				open = append(open, from)
			}
		}
	}
	return slices.Index(ends, false)
}
