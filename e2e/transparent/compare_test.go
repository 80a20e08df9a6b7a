// SPDX-License-Identifier: Apache-2.0

package transparent

import (
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"strings"
	"sync/atomic"
	"testing"
)

// lastRun numbers the runs.
var lastRun atomic.Int64

// newRun returns a run that the API knows.
func (l *lab) newRun(script func(*exchange)) *run {
	r := newRun(fmt.Sprint(lastRun.Add(1)), script)
	l.api.add(r)
	return r
}

// through sends a plan through a site, and returns what both ends observed.
func (l *lab) through(s site, p plan, api func(*exchange)) (account string, stuck string) {
	r := l.newRun(api)
	var got result
	if s.tls {
		got = l.overHTTP2(s, p, r)
	} else {
		got = l.overHTTP1(s, p, r)
	}
	if api != nil {
		r.await("the API to end", func(p position) bool { return p.finished })
	}
	observed, stuck := r.account()
	if got.end == endStuck {
		stuck += "\nthe client waited in vain"
	}
	return fmt.Sprintf("--- client\n%s\n--- API\n%s\n", got, observed), stuck
}

// compare sends a plan through both sites of a pair. If api is nil, the API
// must get no request.
func (l *lab) compare(t failer, both pair, p plan, api func(*exchange)) string {
	t.Helper()
	bare, stuck := l.through(both.bare, p, api)
	if stuck != "" {
		t.Fatalf("without the module, this was waited for: %s\n%s", stuck, bare)
	}
	watched, stuck := l.through(both.watched, p, api)
	if stuck != "" {
		t.Fatalf("with the module, this was waited for: %s\n%s", stuck, watched)
	}
	if bare != watched {
		t.Errorf("without the module:\n%s\nwith it:\n%s", bare, watched)
	}
	return bare
}

// failer is a test, or the property of a test.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// target is a request line.
type target struct{ method, path string }

// targets are requests that rules match (a create, whose object only the
// response names; changes of an object with a version and of one without), and
// requests that no rule matches.
var targets = []target{
	{"POST", "/items"},
	{"PATCH", "/items/42"},
	{"POST", "/items/42/pay"},
	{"DELETE", "/items/42"},
	{"PUT", "/versioned/42"},
	{"GET", "/items/42"},
	{"POST", "/others"},
}

// all compares with every target. Otherwise each plan and variant gets the first
// target, of which the whole response is needed, and one of the others, in turn.
var all = flag.Bool("all", false, "compare every plan with every target")

// chosen returns the targets of a plan and a variant.
func chosen(plan, variant string) []target {
	if *all {
		return targets
	}
	hash := fnv.New32a()
	_, _ = io.WriteString(hash, plan+"\x00"+variant)
	others := targets[1:]
	return []target{targets[0], others[int(hash.Sum32()%uint32(len(others)))]}
}

// sameOnEvery compares the results of a plan for its targets and every variant.
func (l *lab) sameOnEvery(t *testing.T, p plan, api func(*exchange), only func(variant string, at target) bool) {
	for name, both := range l.pairs {
		for _, at := range chosen(t.Name(), name) {
			// An API that closes its connections does so at a random time,
			// while the proxy wants to reuse them.
			if name == "reused" || only != nil && !only(name, at) {
				continue
			}
			t.Run(strings.Join([]string{name, at.method, at.path}, " "), func(t *testing.T) {
				p := p
				p.method, p.path = at.method, at.path
				if at.method == "GET" {
					p.body, p.chunked = nil, false
				}
				l.compare(t, both, p, api)
			})
		}
	}
}
