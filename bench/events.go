// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

// The load of P4.
const (
	changesPerSecond = 100
	changeSlices     = 20
	changeClients    = 8
)

// measureEventLatency prints P4: the time from the response to the event, with
// 100 changes a second.
func measureEventLatency(l *lab) error {
	arrivals := &arrivals{at: make(map[string]time.Time)}
	listener, err := net.Listen("tcp", sinkAddress)
	if err != nil {
		return err
	}
	receiver := &http.Server{Handler: arrivals, ReadHeaderTimeout: time.Minute}
	go func() { _ = receiver.Serve(listener) }()
	defer receiver.Close()

	servers, err := startAll(
		func() (*process, error) { return server("api", apiAddress) },
		func() (*process, error) { return l.module("power", apiAddress) },
	)
	defer servers.stop()
	if err != nil {
		return err
	}
	answered, err := changes(time.Duration(changeSlices) * l.slice)
	if err != nil {
		return err
	}
	var waits []float64
	for range 100 {
		if waits = arrivals.since(answered); len(waits) == len(answered) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if len(waits) != len(answered) {
		return fmt.Errorf("of %d changes, %d events have come", len(answered), len(waits))
	}
	fmt.Printf("P4.median %.2f ms (%d changes, %d a second)\n", median(waits), len(waits), changesPerSecond)
	fmt.Printf("P4.p99 %.2f ms (worst %.2f ms)\n", quantile(waits, 0.99), quantile(waits, 1))
	return nil
}

// changes makes changes at an even rate, each to an object of its own, and
// returns when each was answered.
func changes(d time.Duration) (map[string]time.Time, error) {
	var mu sync.Mutex
	answered := make(map[string]time.Time)
	work := make(chan int, changesPerSecond)
	var failed error
	var senders sync.WaitGroup
	for range changeClients {
		c, err := dial(moduleAddress)
		if err != nil {
			return nil, err
		}
		senders.Go(func() {
			defer c.conn.Close()
			for n := range work {
				_, err := c.do("PATCH", "/items/"+strconv.Itoa(n))
				now := time.Now()
				mu.Lock()
				if err != nil {
					failed = err
				}
				if n >= changesPerSecond { // the first second warms up
					answered["items/"+strconv.Itoa(n)] = now
				}
				mu.Unlock()
			}
		})
	}
	ticker := time.NewTicker(time.Second / changesPerSecond)
	defer ticker.Stop()
	for n := range int(d.Seconds()*changesPerSecond) + changesPerSecond {
		<-ticker.C
		work <- n
	}
	close(work)
	senders.Wait()
	return answered, failed
}

// arrivals notes when the event of each object came.
type arrivals struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (a *arrivals) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	a.mu.Lock()
	a.at[r.Header.Get("Webhook-Object")] = now
	a.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// since returns how long after its answer each event came, in milliseconds.
func (a *arrivals) since(answered map[string]time.Time) (waits []float64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for object, at := range answered {
		if arrived, ok := a.at[object]; ok {
			waits = append(waits, float64(arrived.Sub(at).Microseconds())/1000)
		}
	}
	return waits
}

// measureCPU prints P7: the processor time of a change, with everything that
// takes part, by that of its bare parts.
func measureCPU(l *lab) error {
	const changes = 20000
	servers, err := startAll(
		func() (*process, error) { return server("api", apiAddress) },
		func() (*process, error) { return server("sink", sinkAddress) },
		l.bare,
		func() (*process, error) { return l.module("power", apiAddress) },
	)
	defer servers.stop()
	if err != nil {
		return err
	}
	api, sink, bare, module := servers[0], servers[1], servers[2], servers[3]
	load := func(address, method string) func() error {
		return func() error {
			one, err := newLoad(address, 16, method, object)
			if err != nil {
				return err
			}
			defer one.close()
			_, err = one.count(changes)
			return err
		}
	}
	var ratios, whole, parts []float64
	for i := range 4 {
		change, err := cpuTime(load(moduleAddress, "PATCH"), api, sink, module)
		if err != nil {
			return err
		}
		write, err := cpuTime(load(bareAddress, "PATCH"), api, bare)
		if err != nil {
			return err
		}
		read, err := cpuTime(load(bareAddress, "GET"), api, bare)
		if err != nil {
			return err
		}
		post, err := cpuTime(func() error { return postAll(changes) }, sink)
		if err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		whole = append(whole, float64(change.Microseconds())/changes)
		parts = append(parts, float64((write+read+post).Microseconds())/changes)
		ratios = append(ratios, float64(change)/float64(write+read+post))
	}
	fmt.Printf("P7 %.2f (a change %.0f µs of processor time, its bare parts %.0f µs)\n", median(ratios), median(whole), median(parts))
	return nil
}

// cpuTime returns the processor time that some work takes, of this process and
// of others, until those have come to rest.
func cpuTime(work func() error, others ...*process) (time.Duration, error) {
	total := func() (sum time.Duration, err error) {
		own, err := cpuOf(os.Getpid())
		if err != nil {
			return 0, err
		}
		for _, p := range others {
			one, err := p.cpu()
			if err != nil {
				return 0, err
			}
			own += one
		}
		return own, nil
	}
	before, err := total()
	if err != nil {
		return 0, err
	}
	if err := work(); err != nil {
		return 0, err
	}
	for _, p := range others {
		if err := quiet(p); err != nil {
			return 0, err
		}
	}
	after, err := total()
	return after - before, err
}

// postAll posts as many payloads as there are changes, 16 at a time, with a
// bare http.Client.
func postAll(n int) error {
	httpClient := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	payload := make([]byte, 1000)
	work := make(chan struct{}, 16)
	var mu sync.Mutex
	var failed error
	var senders sync.WaitGroup
	for range 16 {
		senders.Go(func() {
			for range work {
				if err := post(httpClient, payload); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}
		})
	}
	for range n {
		work <- struct{}{}
	}
	close(work)
	senders.Wait()
	httpClient.CloseIdleConnections()
	return failed
}

func post(httpClient *http.Client, payload []byte) error {
	response, err := httpClient.Post("http://"+sinkAddress+"/", "application/json", bytes.NewReader(payload))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
