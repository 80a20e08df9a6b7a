// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// client speaks just enough HTTP/1.1 on one connection to make load. It costs a
// fraction of net/http's client, which would hide the cost of the servers on
// the same machine.
type client struct {
	conn   net.Conn
	reader *bufio.Reader
	buffer []byte
}

func dial(address string) (*client, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, reader: bufio.NewReaderSize(conn, 16<<10)}, nil
}

const writeBody = `{"items":{"state":"pending"}}`

// do sends a request and reads the response to its end.
func (c *client) do(method, path string) (status int, err error) {
	c.buffer = append(c.buffer[:0], method...)
	c.buffer = append(c.buffer, ' ')
	c.buffer = append(c.buffer, path...)
	c.buffer = append(c.buffer, " HTTP/1.1\r\nHost: 127.0.0.1\r\n"...)
	if method != "GET" {
		c.buffer = append(c.buffer, "Content-Type: application/json\r\nContent-Length: "...)
		c.buffer = strconv.AppendInt(c.buffer, int64(len(writeBody)), 10)
		c.buffer = append(c.buffer, "\r\n\r\n"+writeBody...)
	} else {
		c.buffer = append(c.buffer, "\r\n"...)
	}
	if _, err := c.conn.Write(c.buffer); err != nil {
		return 0, err
	}
	length := -1
	for line := 0; ; line++ {
		text, err := c.reader.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		text = bytes.TrimRight(text, "\r\n")
		switch {
		case line == 0:
			if len(text) < 12 {
				return 0, errors.New("no HTTP response")
			}
			status, _ = strconv.Atoi(string(text[9:12]))
			continue
		case len(text) == 0:
			if length < 0 {
				return 0, errors.New("the response has no Content-Length")
			}
			if length < 500 {
				return 0, errors.New("the response is not the API's")
			}
			_, err := io.CopyN(io.Discard, c.reader, int64(length))
			return status, err
		}
		if value, ok := bytes.CutPrefix(text, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, err
			}
		}
	}
}

// load is closed-loop load: some clients, each sending its next request when
// the last one is answered.
type load struct {
	clients []*client
	method  string
	path    func(n uint64) string
	next    atomic.Uint64
}

func newLoad(address string, clients int, method string, path func(uint64) string) (*load, error) {
	l := &load{method: method, path: path}
	for range clients {
		c, err := dial(address)
		if err != nil {
			return nil, err
		}
		l.clients = append(l.clients, c)
	}
	return l, nil
}

func (l *load) close() {
	for _, c := range l.clients {
		c.conn.Close()
	}
}

// run makes load for some time, and returns the requests per second.
func (l *load) run(d time.Duration) (float64, error) {
	return l.until(func(begin time.Time) bool { return time.Since(begin) >= d })
}

// paced makes a number of requests at an even rate, or at full speed if it is 0.
func (l *load) paced(n, perSecond int) error {
	return paced(n, perSecond, len(l.clients), func(worker int) error {
		status, err := l.clients[worker].do(l.method, l.path(l.next.Add(1)))
		if err == nil && (status < 200 || status > 299) {
			err = fmt.Errorf("status %d", status)
		}
		return err
	})
}

// paced calls a function a number of times at an even rate, or at full speed if
// the rate is 0, from some workers.
func paced(n, perSecond, workers int, call func(worker int) error) error {
	turns := make(chan struct{}, n)
	var failed atomic.Pointer[error]
	var work sync.WaitGroup
	for worker := range workers {
		work.Go(func() {
			for range turns {
				if err := call(worker); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	// A ticker for each call would cost more than some of the calls.
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for sent := 0; sent < n; {
		<-ticker.C
		share := perSecond / 100
		if perSecond == 0 {
			share = n
		}
		for range min(share, n-sent) {
			turns <- struct{}{}
			sent++
		}
	}
	close(turns)
	work.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (l *load) until(over func(begin time.Time) bool) (float64, error) {
	begin := time.Now()
	var done atomic.Uint64
	var failed atomic.Pointer[error]
	var work sync.WaitGroup
	for _, c := range l.clients {
		work.Go(func() {
			for {
				if over(begin) {
					return
				}
				status, err := c.do(l.method, l.path(l.next.Add(1)))
				if err == nil && (status < 200 || status > 299) {
					err = fmt.Errorf("status %d", status)
				}
				if err != nil {
					failed.Store(&err)
					return
				}
				done.Add(1)
			}
		})
	}
	work.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(done.Load()) / time.Since(begin).Seconds(), nil
}

// object returns the path of one of many objects.
func object(n uint64) string {
	return "/items/" + strconv.FormatUint(n%10000, 10)
}

// other returns a path that no rule matches.
func other(n uint64) string {
	return "/others/" + strconv.FormatUint(n%10000, 10)
}
