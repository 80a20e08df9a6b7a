// SPDX-License-Identifier: Apache-2.0

package model

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// all makes TestPromises explore all sequences of three requests, which takes
// some minutes.
var all = flag.Bool("all", false, "explore all sequences of three requests")

// name names a scenario.
func (o Options) name() string {
	words := make([]string, len(o.Requests))
	for i, kind := range o.Requests {
		words[i] = kind.String()
	}
	name := fmt.Sprintf("%s, %d crashes", strings.Join(words, " "), o.Crashes)
	switch {
	case o.Known:
		name += ", known"
	case o.Exists:
		name += ", not known"
	}
	if o.Lag {
		name += ", replicas lag"
	}
	return name
}

// explore explores a scenario, and logs its number of states.
func explore(t *testing.T, o Options) Result {
	t.Helper()
	result, err := Explore(o)
	if err != nil {
		t.Fatalf("%s: %v after %d states", o.name(), err, result.States)
	}
	if result.Broken != "" {
		t.Logf("%s: %d states\n  %s\n  %s", o.name(), result.States, strings.Join(result.Trace, "\n  "), result.Broken)
	} else {
		t.Logf("%s: %d states", o.name(), result.States)
	}
	return result
}

// beginnings are the possible states of knowledge before the first request.
func beginnings(o Options) []Options {
	absent, unseen, known := o, o, o
	unseen.Exists = true
	known.Exists, known.Known = true, true
	return []Options{absent, unseen, known}
}

// G1 to G5: with every mechanism on, no order of events breaks a promise.
func TestPromises(t *testing.T) {
	kinds := []Kind{Create, Update, Delete}
	var scenarios []Options
	for _, first := range kinds {
		for _, second := range kinds {
			scenarios = append(scenarios, beginnings(Options{Requests: []Kind{first, second}, Crashes: 2})...)
		}
	}
	scenarios = append(
		scenarios,
		Options{Requests: []Kind{Update, Update, Update}, Exists: true, Known: true, Crashes: 1},
		Options{Requests: []Kind{Create, Update, Delete}, Crashes: 2},
		Options{Requests: []Kind{Update, Delete, Create}, Exists: true, Known: true, Crashes: 2},
		Options{Requests: []Kind{Delete, Create, Update}, Exists: true, Crashes: 1},
		// Replicas lag, and versions prove what is fresh.
		Options{Requests: []Kind{Create, Update, Update}, Crashes: 1, Lag: true},
		Options{Requests: []Kind{Update, Update}, Exists: true, Crashes: 2, Lag: true},
		Options{Requests: []Kind{Update, Update, Update}, Exists: true, Known: true, Lag: true},
	)
	if *all {
		scenarios = sequencesOfThree(kinds)
	}
	for _, o := range scenarios {
		t.Run(o.name(), func(t *testing.T) {
			t.Parallel()
			if result := explore(t, o); result.Broken != "" {
				t.Error(result.Broken)
			}
		})
	}
}

// sequencesOfThree returns all sequences, with two crashes; those without a
// delete also with lagging replicas.
func sequencesOfThree(kinds []Kind) (scenarios []Options) {
	for _, first := range kinds {
		for _, second := range kinds {
			for _, third := range kinds {
				o := Options{Requests: []Kind{first, second, third}, Crashes: 2}
				scenarios = append(scenarios, beginnings(o)...)
				if o.Lag = !slices.Contains(o.Requests, Delete); o.Lag {
					scenarios = append(scenarios, beginnings(o)...)
				}
			}
		}
	}
	return scenarios
}

// Each mechanism is needed: without it there is an order of events that breaks
// a promise.
func TestEachMechanismIsNeeded(t *testing.T) {
	update := Options{Requests: []Kind{Update}, Exists: true, Known: true}
	updates := Options{Requests: []Kind{Update, Update}, Exists: true, Known: true}
	create := Options{Requests: []Kind{Create}}
	with := func(o Options, change func(*Options)) Options {
		change(&o)
		return o
	}
	for _, tc := range []struct {
		mechanism string
		options   Options
		want      string
	}{
		{"M1: the intent is durable before the API is asked", with(update, func(o *Options) { o.Off.Intent, o.Crashes = true, 1 }), "LOST"},
		{"M1: the last byte waits for the mark", with(create, func(o *Options) { o.Off.LastByte, o.Crashes = true, 1 }), "LOST"},
		{"M2: intent and mark in one step", with(update, func(o *Options) { o.Off.OneStep, o.Crashes = true, 1 }), "LOST"},
		{"M3: the generation", with(updates, func(o *Options) { o.Off.Generation = true }), "LOST"},
		{"M4: snapshot and event in one step", with(update, func(o *Options) { o.Off.OneCommit, o.Crashes = true, 1 }), "LOST"},
		{"M5: unknown outcomes are changes", with(update, func(o *Options) { o.Off.Unknown = true }), "LOST"},
		{"M5: unknown outcomes are looked at again", with(update, func(o *Options) { o.Off.Settle = true }), "LOST"},
		{"freshness: versions", with(update, func(o *Options) { o.Off.Freshness, o.Lag = true, true }), "LOST"},
		{"freshness: the versions of answers", with(update, func(o *Options) { o.Off.FreshnessOfAnswers, o.Lag = true, true }), "LOST"},
		{"freshness: the newest of them", with(updates, func(o *Options) { o.Off.Newest, o.Lag = true, true }), "LOST"},
		{"a delete needs proof", with(create, func(o *Options) { o.Off.Proof, o.Lag = true, true }), "INVENTED"},
	} {
		t.Run(tc.mechanism, func(t *testing.T) {
			if result := explore(t, tc.options); !strings.HasPrefix(result.Broken, tc.want) {
				t.Errorf("without it: %q; want %s", result.Broken, tc.want)
			}
			tc.options.Off = Off{}
			if result := explore(t, tc.options); result.Broken != "" {
				t.Errorf("with it: %s", result.Broken)
			}
		})
	}
}

// What docs/guarantees.md calls a known gap is one: a 404 has no version, so a
// lagging replica can prove a delete that was not made, or hide a create that
// was.
func TestKnownGaps(t *testing.T) {
	for _, o := range []Options{
		{Requests: []Kind{Create, Delete}, Lag: true},
		{Requests: []Kind{Delete, Create}, Exists: true, Known: true, Lag: true},
		{Requests: []Kind{Update, Delete}, Exists: true, Known: true, Lag: true},
	} {
		if result := explore(t, o); result.Broken == "" {
			t.Errorf("%s: no promise is broken any more; move it to TestPromises, and take it out of docs/guarantees.md", o.name())
		}
	}
}

// The worst gap, an end at which the last event is not what the API shows,
// could be closed.
func TestLookAgain(t *testing.T) {
	kinds := []Kind{Create, Update, Delete}
	lost := 0
	for _, first := range kinds {
		for _, second := range kinds {
			for _, o := range beginnings(Options{Requests: []Kind{first, second}, Crashes: 1, Lag: true, Ends: true}) {
				if explore(t, o).Broken != "" {
					lost++
				}
				o.LookAgain = true
				if result := explore(t, o); result.Broken != "" {
					t.Errorf("%s: %s", o.name(), result.Broken)
				}
			}
		}
	}
	if lost == 0 {
		t.Error("nothing is lost without it")
	}
}

func TestTooMany(t *testing.T) {
	if _, err := Explore(Options{Requests: make([]Kind, maxRequests+1)}); err == nil {
		t.Error("too many requests are explored")
	}
}
