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
	arrivals := newArrivals()
	closeReceiver, err := arrivals.listen()
	if err != nil {
		return err
	}
	defer closeReceiver()

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
	waits, err := arrivals.all(answered)
	if err != nil {
		return err
	}
	fmt.Printf("P4.median %.2f ms (%d changes, %d a second)\n", median(waits), len(waits), changesPerSecond)
	fmt.Printf("P4.p99 %.2f ms (worst %.2f ms)\n", quantile(waits, 0.99), quantile(waits, 1))
	return nil
}

// changes makes changes at an even rate, each to its own object, and returns
// when each was answered.
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

// arrivals records when the event of each object came.
type arrivals struct {
	mu sync.Mutex
	at map[string]time.Time
}

func newArrivals() *arrivals { return &arrivals{at: make(map[string]time.Time)} }

// listen starts the receiver. The function that it returns ends it.
func (a *arrivals) listen() (stop func(), err error) {
	listener, err := net.Listen("tcp", sinkAddress)
	if err != nil {
		return nil, err
	}
	receiver := &http.Server{Handler: a, ReadHeaderTimeout: time.Minute}
	go func() { _ = receiver.Serve(listener) }()
	return func() { _ = receiver.Close() }, nil
}

// all waits until all events have come, and returns how long after its answer each
// came, in milliseconds.
func (a *arrivals) all(answered map[string]time.Time) (waits []float64, err error) {
	for range 100 {
		if waits = a.since(answered); len(waits) == len(answered) {
			return waits, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, fmt.Errorf("of %d changes, %d events have come", len(answered), len(waits))
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

// The load of P7.
const (
	cpuRate    = 1000 // per second
	cpuClients = 16
	cpuCount   = 5000
	cpuRounds  = 5
)

// measureCPU prints P7: the processor time of a change, including all
// processes, divided by that of its bare parts. All are made at the same rate:
// at full speed the bare parts run several times as often, and each costs less,
// as no process has to be woken up. P7.full is measured at full speed, for
// comparison.
func measureCPU(l *lab) error {
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
	for _, pace := range []struct {
		name string
		rate int
	}{{"P7", cpuRate}, {"P7.full", 0}} {
		if err := compareCPU(pace.name, pace.rate, servers[0], servers[1], servers[2], servers[3]); err != nil {
			return err
		}
	}
	return nil
}

func compareCPU(name string, rate int, api, sink, bare, module *process) error {
	load := func(address, method string) func() error {
		return func() error {
			one, err := newLoad(address, cpuClients, method, object)
			if err != nil {
				return err
			}
			defer one.close()
			return one.paced(cpuCount, rate)
		}
	}
	var ratios, whole, parts []float64
	for i := range cpuRounds + 1 {
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
		post, err := cpuTime(func() error { return postAll(rate) }, sink)
		if err != nil {
			return err
		}
		if i == 0 {
			continue // warming up
		}
		whole = append(whole, float64(change.Microseconds())/cpuCount)
		parts = append(parts, float64((write+read+post).Microseconds())/cpuCount)
		ratios = append(ratios, float64(change)/float64(write+read+post))
	}
	speed := "at full speed"
	if rate > 0 {
		speed = fmt.Sprintf("%d a second", rate)
	}
	fmt.Printf("%s %.2f (a change %.0f µs of processor time, its bare parts %.0f µs, %s)\n",
		name, median(ratios), median(whole), median(parts), speed)
	return nil
}

// cpuTime returns the processor time of some work, in this process and in
// others, until those come to rest.
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

// postAll posts one payload per change with a bare http.Client.
func postAll(rate int) error {
	httpClient := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: cpuClients}}
	defer httpClient.CloseIdleConnections()
	payload := make([]byte, 1000)
	return paced(cpuCount, rate, cpuClients, func(int) error { return post(httpClient, payload) })
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
