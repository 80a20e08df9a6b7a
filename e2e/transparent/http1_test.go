// SPDX-License-Identifier: Apache-2.0

package transparent

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// plan is what a client does.
type plan struct {
	method, path string
	fields       []string // "Name: value"
	body         []string // pieces; nil for none
	chunked      bool
	trailers     []string // of a chunked request, "Name: value"
	// lockstep sends a piece of the body when the API has read the one before.
	lockstep bool
	// expect waits for 100 Continue before the body.
	expect bool
	// leave, if not nil, hangs up when it returns true.
	leave func(position) bool
	// last does not try to reuse the connection.
	last bool
}

// client is an HTTP/1.1 connection to a site on which every byte is observed.
type client struct {
	conn   net.Conn
	reader *bufio.Reader
}

func dial(s site) (*client, error) {
	conn, err := net.DialTimeout("tcp", s.addr, testTimeout)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(2 * testTimeout)); err != nil {
		conn.Close()
		return nil, err
	}
	if s.tls {
		conn = tls.Client(conn, &tls.Config{ServerName: hostname, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	}
	return &client{conn: conn, reader: bufio.NewReader(conn)}, nil
}

// overHTTP1 executes a plan through a site, with HTTP/1.1.
func (l *lab) overHTTP1(s site, p plan, r *run) result {
	c, err := dial(s)
	if err != nil {
		return result{failure: err.Error()}
	}
	defer c.conn.Close()
	if p.leave != nil {
		left := make(chan struct{})
		defer func() { <-left }()
		go func() {
			defer close(left)
			r.await("the client's time to leave", p.leave)
			c.conn.Close()
			r.move(func(p *position) { p.gone = true })
		}()
	}
	uploaded := make(chan struct{})
	go func() {
		defer close(uploaded)
		c.send(p, r)
	}()
	got := c.receive(p, r)
	if p.leave != nil {
		<-uploaded
		return result{end: endLeft}
	}
	if got.end == endWhole && !p.last {
		<-uploaded
		got.after = l.reuse(c, got)
	} else {
		c.conn.Close()
		<-uploaded
	}
	return got
}

// send writes a request. It ends early if the site hangs up.
func (c *client) send(p plan, r *run) {
	var head strings.Builder
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\nHost: %s\r\n%s: %s\r\n", p.method, p.path, hostname, runHeader, r.id)
	for _, field := range p.fields {
		head.WriteString(field + "\r\n")
	}
	total := len(strings.Join(p.body, ""))
	switch {
	case p.chunked:
		head.WriteString("Transfer-Encoding: chunked\r\n")
		for _, trailer := range p.trailers {
			name, _, _ := strings.Cut(trailer, ":")
			head.WriteString("Trailer: " + name + "\r\n")
		}
	case p.body != nil:
		fmt.Fprintf(&head, "Content-Length: %d\r\n", total)
	}
	if p.expect {
		head.WriteString("Expect: 100-continue\r\n")
	}
	head.WriteString("\r\n")
	if _, err := io.WriteString(c.conn, head.String()); err != nil {
		return
	}
	if p.expect && !r.await("100 Continue", func(p position) bool { return p.informed > 0 || p.answered }) {
		return
	}
	sent := 0
	for _, piece := range p.body {
		framed := piece
		if p.chunked {
			framed = fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece)
		}
		if _, err := io.WriteString(c.conn, framed); err != nil {
			return
		}
		sent += len(piece)
		if p.lockstep && !r.await(fmt.Sprintf("the API to have %d bytes", sent), func(p position) bool { return p.uploaded >= sent || p.gone }) {
			return
		}
	}
	if p.chunked {
		_, _ = io.WriteString(c.conn, "0\r\n"+strings.Join(append(p.trailers, ""), "\r\n")+"\r\n")
	}
}

// receive reads a response.
func (c *client) receive(p plan, r *run) result {
	var got result
	for {
		one, err := c.readHead()
		if err != nil {
			got.end = endOf(err)
			got.failure = "no response"
			return got
		}
		if strings.HasPrefix(one.status, "HTTP/1.1 1") && !strings.HasPrefix(one.status, "HTTP/1.1 101") {
			got.informational = append(got.informational, one)
			r.move(func(p *position) { p.informed++ })
			continue
		}
		got.head = one
		r.move(func(p *position) { p.answered = true })
		break
	}
	status := strings.Fields(got.head.status)[1]
	var err error
	switch {
	case p.method == "HEAD" || status == "204" || status == "304" || status == "101":
		got.framing = "no body"
	case got.head.value("transfer-encoding") == "chunked":
		got.framing = "chunked"
		got.trailers, err = c.readChunks(&got, r)
	case got.head.value("content-length") != "":
		got.framing = "length"
		var length int
		if length, err = strconv.Atoi(got.head.value("content-length")); err == nil {
			err = c.readBody(&got, r, length)
		}
	default:
		got.framing = "close"
		if err = c.readBody(&got, r, -1); errors.Is(err, io.EOF) {
			err = nil
		}
	}
	got.end = endOf(err)
	return got
}

func (c *client) readLine() (string, error) {
	line, err := c.reader.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

func (c *client) readHead() (head, error) {
	status, err := c.readLine()
	if err != nil {
		return head{}, err
	}
	fields, err := c.readFields()
	return newHead(status, fields), err
}

// readFields reads a header or trailers, up to the empty line.
func (c *client) readFields() ([]string, error) {
	var fields []string
	for {
		line, err := c.readLine()
		if err != nil || line == "" {
			return fields, err
		}
		fields = append(fields, line)
	}
}

// readBody reads this many bytes, or as many as there are.
func (c *client) readBody(got *result, r *run, length int) error {
	buffer := make([]byte, 32<<10)
	for length != 0 {
		window := buffer
		if length > 0 && length < len(window) {
			window = window[:length]
		}
		n, err := c.reader.Read(window)
		got.body = append(got.body, window[:n]...)
		if n > 0 {
			r.move(func(p *position) { p.received += n })
		}
		if length > 0 {
			length -= n
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *client) readChunks(got *result, r *run) ([]string, error) {
	for {
		line, err := c.readLine()
		if err != nil {
			return nil, err
		}
		size, err := strconv.ParseInt(line, 16, 32)
		if err != nil {
			return nil, err
		}
		if size == 0 {
			trailers, err := c.readFields()
			return newHead("", trailers).fields, err
		}
		if err := c.readBody(got, r, int(size)); err != nil {
			return nil, err
		}
		if line, err := c.readLine(); err != nil || line != "" {
			return nil, fmt.Errorf("a chunk ends with %q, %w", line, err)
		}
	}
}

// reuse returns whether the connection accepts another request.
func (l *lab) reuse(c *client, got result) string {
	if got.framing == "close" || strings.EqualFold(got.head.value("connection"), "close") {
		return "closed"
	}
	ping := l.newRun(func(x *exchange) {
		x.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\npong")
	})
	p := plan{method: "GET", path: "/ping"}
	c.send(p, ping)
	if answer := c.receive(p, ping); string(answer.body) != "pong" {
		return fmt.Sprintf("spoilt: %s", answer)
	}
	return "kept"
}
