// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// slowAnswer is how long the slow API of P8 takes for an answer.
const slowAnswer = 20 * time.Millisecond

// wholeSlices is for how many slices the clients of P8 write, clientPairs how many slices
// of each kind are compared for P8.clients.
const (
	wholeSlices = 10
	clientPairs = 6
)

// measureWhole prints P8: the whole job at full speed, on an API that answers at once and
// on one that takes its time. Clients change other objects all the time, as fast as they
// are answered, and each change has an event of its own.
func measureWhole(l *lab) error {
	for _, api := range []struct {
		name  string
		delay time.Duration
	}{{"P8", 0}, {"P8.slow", slowAnswer}} {
		if err := l.whole(api.name, api.delay); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) whole(name string, delay time.Duration) error {
	arrivals := newArrivals()
	closeReceiver, err := arrivals.listen()
	if err != nil {
		return err
	}
	defer closeReceiver()
	servers, err := startAll(
		func() (*process, error) { return server("api", apiAddress, delay.String()) },
		l.bare,
		func() (*process, error) { return l.module("power", apiAddress) },
	)
	defer servers.stop()
	if err != nil {
		return err
	}
	var next atomic.Uint64
	if _, err := writers(moduleAddress, 2*l.slice, &next); err != nil { // warming up
		return err
	}
	if err := quiet(servers[2]); err != nil {
		return err
	}
	begun := time.Now()
	written, err := writers(moduleAddress, wholeSlices*l.slice, &next)
	if err != nil {
		return err
	}
	accepted := float64(len(written.answered)) / time.Since(begun).Seconds()
	ages, last, err := arrivals.ages(written.answered)
	if err != nil {
		return err
	}
	told := float64(len(ages)) / last.Sub(begun).Seconds()
	if delay == 0 {
		parts, err := bareParts(wholeSlices * l.slice / 4)
		if err != nil {
			return err
		}
		fmt.Printf("%s.rate %.2f (%.0f changes told a second, %.0f accepted; bare parts %.0f a second)\n", name, told/parts, told, accepted, parts)
	} else {
		fmt.Printf("%s.rate %.2f (%.0f changes told a second, %.0f accepted, of an API that takes %v)\n", name, told/accepted, told, accepted, delay)
	}
	fmt.Printf("%s.age %.0f ms (99th percentile %.0f ms, worst %.0f ms)\n", name, median(ages), quantile(ages, .99), quantile(ages, 1))
	return l.compareClients(name, &next, servers[2])
}

// ages waits until all events have come, and returns how long after its answer each came,
// in milliseconds, and when the last came.
func (a *arrivals) ages(answered map[string]time.Time) (ages []float64, last time.Time, err error) {
	for range 6 { // of ten seconds
		if ages, err = a.all(answered); err == nil {
			break
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for object := range answered {
		if at := a.at[object]; at.After(last) {
			last = at
		}
	}
	return ages, last, err
}

// written is what clients have written.
type written struct {
	answered map[string]time.Time
	// took is how long the answers took, in milliseconds.
	took []float64
}

// writers has clients change one object after the other for some time, as fast as they
// are answered.
func writers(address string, d time.Duration, next *atomic.Uint64) (all written, _ error) {
	all.answered = make(map[string]time.Time)
	var mu sync.Mutex
	var failed error
	var senders sync.WaitGroup
	end := time.Now().Add(d)
	for range clients {
		c, err := dial(address)
		if err != nil {
			return all, err
		}
		senders.Go(func() {
			defer c.conn.Close()
			own := written{answered: make(map[string]time.Time)}
			var err error
			for err == nil && time.Now().Before(end) {
				id := strconv.FormatUint(next.Add(1), 10)
				begin := time.Now()
				var status int
				if status, err = c.do(http.MethodPatch, "/items/"+id); err == nil && status != http.StatusOK {
					err = fmt.Errorf("status %d", status)
				}
				now := time.Now()
				own.answered["items/"+id] = now
				own.took = append(own.took, float64(now.Sub(begin).Microseconds())/1000)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = err
			}
			for object, at := range own.answered {
				all.answered[object] = at
			}
			all.took = append(all.took, own.took...)
		})
	}
	senders.Wait()
	return all, failed
}

// bareParts returns how many changes a second their bare parts make at full speed, one
// after the other: a write, a read and a post.
func bareParts(d time.Duration) (float64, error) {
	perChange := 0.0
	for _, method := range []string{http.MethodPatch, http.MethodGet} {
		one, err := newLoad(bareAddress, clients, method, object)
		if err != nil {
			return 0, err
		}
		rate, err := one.run(d)
		one.close()
		if err != nil {
			return 0, err
		}
		perChange += 1 / rate
	}
	begun := time.Now()
	if err := postAll(0); err != nil {
		return 0, err
	}
	return 1 / (perChange + time.Since(begun).Seconds()/cpuCount), nil
}

// compareClients prints P8.clients: what the API's own clients notice, while all that
// their changes cause is under way.
func (l *lab) compareClients(name string, next *atomic.Uint64, module *process) error {
	var rates, with, without, slow, slowBare []float64
	for i := range clientPairs + 1 {
		var rate [2]float64
		for at, address := range []string{bareAddress, moduleAddress} {
			begun := time.Now()
			all, err := writers(address, 2*l.slice, next)
			if err != nil {
				return err
			}
			rate[at] = float64(len(all.took)) / time.Since(begun).Seconds()
			if i == 0 {
				continue // warming up
			}
			if at == 0 {
				without, slowBare = append(without, rate[at]), append(slowBare, quantile(all.took, .99))
			} else {
				with, slow = append(with, rate[at]), append(slow, quantile(all.took, .99))
			}
		}
		// What is left to tell must not slow down the bare proxy.
		if err := quiet(module); err != nil {
			return err
		}
		if i > 0 {
			rates = append(rates, rate[1]/rate[0])
		}
	}
	fmt.Printf("%s.clients %.2f (%.0f requests a second with the module, %.0f without; 99th percentile %.1f ms, %.1f ms without)\n",
		name, median(rates), median(with), median(without), median(slow), median(slowBare))
	return nil
}
