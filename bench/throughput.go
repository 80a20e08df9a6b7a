// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// clients is the number of clients that make load at once.
const clients = 64

// pairs is the number of slices of each kind whose median makes a ratio.
const pairs = 12

// measureThroughput prints P1: requests per second with the module, divided by
// those without, in alternating slices.
func measureThroughput(l *lab) error {
	return throughput(l, "P1", 0)
}

// manyResources is the number of resources in P1.rules besides the measured
// one.
const manyResources = 200

// measureRules prints P1.rules: P1 with many resources of five rules each.
func measureRules(l *lab) error {
	return throughput(l, "P1.rules", manyResources)
}

// measureResources prints P1.resources: requests per second with many resources of five
// rules each besides the measured one, divided by those with that one alone.
func measureResources(l *lab) error {
	servers, err := startAll(
		func() (*process, error) { return server("api", apiAddress) },
		func() (*process, error) { return server("hole", holeAddress) },
		func() (*process, error) { return l.moduleAt("alone", bareAddress, 0, "process", holeAddress) },
		func() (*process, error) { return l.moduleBeside(manyResources, "process", holeAddress) },
	)
	defer servers.stop()
	if err != nil {
		return err
	}
	if err := compare(l, "P1.resources.unmatched", "PATCH", other); err != nil {
		return err
	}
	return compare(l, "P1.resources", "PATCH", object)
}

func throughput(l *lab, name string, resources int) error {
	servers, err := startAll(
		func() (*process, error) { return server("api", apiAddress) },
		func() (*process, error) { return server("hole", holeAddress) },
		l.bare,
	)
	defer servers.stop()
	if err != nil {
		return err
	}
	for _, m := range []struct {
		name, durability, method string
		path                     func(uint64) string
	}{
		{".unmatched", "power", "PATCH", other},
		{".show", "power", "GET", object},
		{".process", "process", "PATCH", object},
		{".power", "power", "PATCH", object},
	} {
		// Reconciling is paused: Shows are requested from an address that never
		// answers.
		module, err := l.moduleBeside(resources, m.durability, holeAddress)
		if err != nil {
			return err
		}
		err = compare(l, name+m.name, m.method, m.path)
		module.stop()
		if err != nil {
			return err
		}
	}
	return nil
}

func compare(l *lab, name, method string, path func(uint64) string) error {
	bare, err := newLoad(bareAddress, clients, method, path)
	if err != nil {
		return err
	}
	defer bare.close()
	module, err := newLoad(moduleAddress, clients, method, path)
	if err != nil {
		return err
	}
	defer module.close()
	var ratios, with, without []float64
	for i := range pairs + 1 {
		// Alternate which goes first, so that a drift favours neither.
		order := []*load{bare, module}
		if i%2 == 1 {
			order = []*load{module, bare}
		}
		rates := make(map[*load]float64)
		for _, one := range order {
			if rates[one], err = one.run(l.slice); err != nil {
				return err
			}
		}
		if i == 0 {
			continue // warming up
		}
		ratios = append(ratios, rates[module]/rates[bare])
		with, without = append(with, rates[module]), append(without, rates[bare])
	}
	fmt.Printf("%s %.3f (module %.0f req/s, bare %.0f req/s, %d clients)\n", name, median(ratios), median(with), median(without), clients)
	return nil
}

// measureLatency prints P1.latency: the median latency that the module adds to a
// matched update with one client, in units of one bare sync of the same disk.
func measureLatency(l *lab) error {
	servers, err := startAll(
		func() (*process, error) { return server("api", apiAddress) },
		func() (*process, error) { return server("hole", holeAddress) },
		l.bare,
		func() (*process, error) { return l.module("power", holeAddress) },
	)
	defer servers.stop()
	if err != nil {
		return err
	}
	bare, err := dial(bareAddress)
	if err != nil {
		return err
	}
	defer bare.conn.Close()
	module, err := dial(moduleAddress)
	if err != nil {
		return err
	}
	defer module.conn.Close()
	sync, err := newSyncer(filepath.Join(l.dir, "sync"))
	if err != nil {
		return err
	}
	defer sync.close()

	var with, without, syncs []float64
	for n := range uint64(1500) {
		for _, one := range []struct {
			to   *[]float64
			step func() error
		}{
			{&without, func() error { _, err := bare.do("PATCH", object(n)); return err }},
			{&with, func() error { _, err := module.do("PATCH", object(n)); return err }},
			{&syncs, sync.once},
		} {
			begin := time.Now()
			if err := one.step(); err != nil {
				return err
			}
			*one.to = append(*one.to, float64(time.Since(begin).Microseconds()))
		}
	}
	gained := median(with) - median(without)
	fmt.Printf("P1.latency %.2f (gained %.0f µs: module %.0f µs, bare %.0f µs; one sync %.0f µs)\n",
		gained/median(syncs), gained, median(with), median(without), median(syncs))
	return nil
}

// syncer writes a few bytes to a file that is long enough, and syncs it: the
// minimum cost of a durable write.
type syncer struct {
	file *os.File
	at   int64
}

func newSyncer(name string) (*syncer, error) {
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	// Existing blocks need no change of the file's metadata.
	if _, err := file.Write(make([]byte, 8<<20)); err != nil {
		return nil, err
	}
	return &syncer{file: file}, file.Sync()
}

func (s *syncer) once() error {
	s.at = (s.at + 256) % (8 << 20)
	if _, err := s.file.WriteAt(make([]byte, 256), s.at); err != nil {
		return err
	}
	return s.file.Sync()
}

func (s *syncer) close() { s.file.Close() }

// processes stop in reverse order.
type processes []*process

func startAll(starters ...func() (*process, error)) (processes, error) {
	var all processes
	for _, begin := range starters {
		p, err := begin()
		if err != nil {
			return all, err
		}
		all = append(all, p)
	}
	return all, nil
}

func (p processes) stop() {
	for i := len(p) - 1; i >= 0; i-- {
		p[i].stop()
	}
}
