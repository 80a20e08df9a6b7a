// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"sync/atomic"
	"time"
)

// The strangers of P6.strangers, each with one request after the other.
const strangerClients = 8

// attacks are the requests of strangers, of which the API refuses one, and the others
// are broken off: each is sent with a number, below a path.
var attacks = []struct {
	method, object string
	whole          bool
}{
	{"PATCH", "unseen", false},
	{"PATCH", "slow", false},
	{"PATCH", "failing", false},
	{"DELETE", "unseen", false},
	{"PUT", "refused", true},
	{"POST", "", false},
}

// beStrangers sends attacks to objects below a path, as fast as the site takes them,
// and answers whoever connects to its own address with how many it has sent.
func beStrangers(path string) error {
	var sent atomic.Int64
	for client := range strangerClients {
		go func() {
			for n := client; ; n += strangerClients {
				if attack(path, n) == nil {
					sent.Add(1)
				}
			}
		}()
	}
	listener, err := net.Listen("tcp", strangersAddress)
	if err != nil {
		return err
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		fmt.Fprintln(conn, sent.Load())
		conn.Close()
	}
}

// attack sends one request, and breaks it off once Caddy has passed it on, or gives it
// up after some milliseconds.
func attack(path string, n int) error {
	conn, err := net.Dial("tcp", moduleAddress)
	if err != nil {
		time.Sleep(time.Millisecond)
		return err
	}
	defer conn.Close()
	a := attacks[n%len(attacks)]
	object, length := path, len(writeBody)
	if a.object != "" {
		object = fmt.Sprintf("%s/%s-%d", path, a.object, n)
	}
	if !a.whole {
		length += 100
	}
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		a.method, object, length, writeBody)
	if err != nil {
		return err
	}
	// The API has the request then, so that its outcome is unknown.
	wait := 2 * time.Millisecond
	if a.whole {
		wait = time.Second
	}
	if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	_, _ = conn.Read(make([]byte, 1))
	return nil
}

// strangersSent asks the strangers' process.
func strangersSent() (count int, err error) {
	conn, err := net.Dial("tcp", strangersAddress)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	_, err = fmt.Fscan(conn, &count)
	return count, err
}

// measureStrangers prints P6.strangers: the 99th percentile of the time from an
// ordinary client's response to its event while strangers attack the resource, by that
// while they send the same requests to a path that no rule matches: at full speed they
// use up the processors, which all processes share, whatever the module does. The time
// without strangers is printed, too.
func measureStrangers(l *lab) error {
	results := make(map[string][]float64)
	var attacks int
	for _, path := range []string{"", "/others", "/items"} {
		waits, sent, err := l.besideStrangers(path)
		if err != nil {
			return err
		}
		results[path] = waits
		attacks = sent
	}
	p99 := func(path string) float64 { return quantile(results[path], 0.99) }
	fmt.Printf("P6.strangers %.2f (99th percentile %.2f ms, %.2f ms while they are at unmatched paths, %.2f ms without strangers; median %.2f, %.2f, %.2f ms; %d attacks, %d changes a second)\n",
		p99("/items")/p99("/others"), p99("/items"), p99("/others"), p99(""),
		median(results["/items"]), median(results["/others"]), median(results[""]), attacks, changesPerSecond)
	return nil
}

// besideStrangers returns the waits for ordinary clients' events, in milliseconds, and
// how many attacks were sent meanwhile.
func (l *lab) besideStrangers(path string) (waits []float64, sent int, err error) {
	arrivals := newArrivals()
	stop, err := arrivals.listen()
	if err != nil {
		return nil, 0, err
	}
	defer stop()
	starts := []func() (*process, error){
		func() (*process, error) { return server("api", apiAddress) },
		func() (*process, error) { return l.module("power", apiAddress) },
	}
	if path != "" {
		starts = append(starts, func() (*process, error) { return server("strangers", strangersAddress, path) })
	}
	servers, err := startAll(starts...)
	defer servers.stop()
	if err != nil {
		return nil, 0, err
	}
	answered, err := changes(time.Duration(changeSlices) * l.slice)
	if err != nil {
		return nil, 0, err
	}
	if path != "" {
		if sent, err = strangersSent(); err != nil {
			return nil, 0, err
		}
	}
	waits, err = arrivals.all(answered)
	return waits, sent, err
}
