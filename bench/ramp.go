// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/bench/ramp"
	"github.com/caddy-webhooks/caddy-webhooks/internal/promises"
)

var (
	rampLasts = flag.Duration("ramp", 10*time.Minute, "how long a ramp takes from 10 to 10,000 changes a second and back")
	rampOut   = flag.String("ramp-out", "docs/performance", "the directory that a ramp's table and plot are written to")
)

// rampAPIs is how long the APIs of the ramps take for an answer.
var rampAPIs = []time.Duration{time.Millisecond, 20 * time.Millisecond, 200 * time.Millisecond}

// The load of a ramp, in changes a second.
const rampLow, rampHigh = 10, 10_000

// rampRest is how long all that is left may take when the load has ended.
const rampRest = 15 * time.Minute

const rampAdmin = "127.0.0.1:19082"

// rampConfig has a second receiver, of a tenth of the events. What it is sent is tried again
// until it works again, and its attempts end soon.
var rampConfig = template.Must(template.New("ramp").Parse(`{
	admin ` + rampAdmin + `
	persist_config off
	log {
		level ERROR
	}
	webhooks {
		queue badger {{.Queue}}
		endpoint steady http://` + sinkAddress + steadyPath + ` {
			secret ` + secret + `
		}
		endpoint troubled http://` + sinkAddress + troubledPath + ` {
			secret ` + secret + `
			events orders.*
			timeout 2s
			retry {{.Retry}}
		}
		egress {
			allow http
			allow network 127.0.0.0/8
		}
	}
}
http://` + moduleAddress + ` {
	webhooks {
		upstream ` + apiAddress + `
		resource items {
			version version
		}
		resource orders {
			version version
		}
	}
	reverse_proxy ` + apiAddress + ` {
		transport http {
			keepalive_idle_conns_per_host {{.Clients}}
		}
	}
}
`))

// measureRamp makes the ramps on all APIs, also if one of them finds something wrong.
func measureRamp(l *lab) error {
	var failed []error
	for _, api := range rampAPIs {
		failed = append(failed, l.ramp(api))
	}
	return errors.Join(failed...)
}

// rampOn makes the ramp on one API.
func rampOn(api time.Duration) func(*lab) error {
	return func(l *lab) error { return l.ramp(api) }
}

func (l *lab) ramp(api time.Duration) error {
	if *rampLasts < 10*time.Second {
		return fmt.Errorf("-ramp %v is too short to see anything; use 10s at least", *rampLasts)
	}
	// What cannot be written must not be found out after the run.
	if err := os.MkdirAll(*rampOut, 0o755); err != nil {
		return err
	}
	run, err := l.rampRun(api)
	if err != nil {
		return fmt.Errorf("%v: %w", api, err)
	}
	for name, text := range map[string]string{run.Name() + ".md": run.Page(), run.Name() + ".svg": run.Plot()} {
		if err := os.WriteFile(filepath.Join(*rampOut, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	var missed []error
	for _, f := range run.Findings() {
		kept := 1
		if !f.Holds {
			kept = 0
			missed = append(missed, fmt.Errorf("on an API of %v: %s", api, f.Says))
		}
		fmt.Printf("ramp.%v %d (%s)\n", api, kept, f.Says)
	}
	for _, broken := range run.Broken {
		missed = append(missed, errors.New(broken))
	}
	return errors.Join(missed...)
}

// rampRun makes a ramp, and says what was seen.
func (l *lab) rampRun(api time.Duration) (ramp.Run, error) {
	shape := ramp.Shape{Low: rampLow, High: rampHigh, Lasts: *rampLasts}
	w := newWitness(api, shape.Lasts/3, shape.Lasts*2/3)
	closeWitness, err := w.listen()
	if err != nil {
		return ramp.Run{}, err
	}
	defer closeWitness()
	module, err := l.run("ramp", moduleAddress, rampConfig, map[string]string{
		"Retry": strings.TrimSpace(strings.Repeat("1s ", 100)), "Clients": fmt.Sprint(rampClients),
	})
	if err != nil {
		return ramp.Run{}, err
	}
	defer module.stop()
	endSampling := w.sample(module)
	w.load(shape)
	unresolved, left := w.rest()
	endSampling()
	run := w.run(shape)
	run.Broken = slices.Concat(left, w.judge(unresolved))
	module.stop()
	run.Broken = append(run.Broken, alarms(module.log.String())...)
	return run, nil
}

// alarms returns the first errors in Caddy's log.
func alarms(log string) (found []string) {
	for line := range strings.Lines(log) {
		if len(found) < 3 && (strings.Contains(line, `"level":"error"`) || strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ")) {
			found = append(found, "in Caddy's log: "+strings.TrimSpace(line))
		}
	}
	return found
}

// judge returns which promises were broken to the two receivers.
func (w *witness) judge(unresolved int) (broken []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed > 0 {
		broken = append(broken, fmt.Sprintf("%d requests failed, such as: %v", w.failed, w.failure))
	}
	if unresolved > 0 {
		broken = append(broken, fmt.Sprintf("%d exchanges are unresolved, though each was answered", unresolved))
	}
	for _, r := range []*recipient{&w.steady, &w.troubled} {
		var oracle []promises.Change
		for _, c := range w.oracle {
			if r.gets(c.Object) {
				oracle = append(oracle, c)
			}
		}
		v := promises.Check(promises.Evidence{Oracle: oracle, Deliveries: r.got, Shows: w.shown})
		for _, problem := range v.Some() {
			broken = append(broken, r.name+": "+problem)
		}
	}
	return broken
}
