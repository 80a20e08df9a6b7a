// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// connection is a connection on which a fault is played. Once the other side
// has closed it, writing fails, and a fault that continues for ever ends.
type connection struct {
	net.Conn
	tcp     *net.TCPConn
	options Options
	// reader holds bytes that were read beyond the request.
	reader *bufio.Reader
}

// readRequest reads a request to its end.
func (c *connection) readRequest() {
	if c.reader == nil {
		c.reader = bufio.NewReader(c)
	}
	request, err := http.ReadRequest(c.reader)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, request.Body)
	_ = request.Body.Close()
}

// say writes a text, and reports whether the other side can still read.
func (c *connection) say(text string) bool {
	_, err := io.WriteString(c, text)
	return err == nil
}

// flood writes a text until the other side closes.
func (c *connection) flood(text string) {
	bytes := []byte(text)
	for {
		if _, err := c.Write(bytes); err != nil {
			return
		}
	}
}

// hang waits until the other side closes.
func (c *connection) hang() {
	if c.reader == nil {
		c.reader = bufio.NewReader(c)
	}
	_, _ = io.Copy(io.Discard, c.reader)
}

// drip writes a text again and again, one byte per step.
func (c *connection) drip(text string) {
	ticker := time.NewTicker(c.options.Step)
	defer ticker.Stop()
	for at := 0; ; at++ {
		<-ticker.C
		if !c.say(text[at%len(text):][:1]) {
			return
		}
	}
}

// reset closes the connection with a reset.
func (c *connection) reset() {
	_ = c.tcp.SetLinger(0)
	_ = c.tcp.Close()
}

// filler is a long meaningless text.
var filler = strings.Repeat("x", 4096)
