// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
)

// says answers a request with a text, and then calls a function.
func says(text string, then func(*connection)) func(*connection) {
	return func(c *connection) {
		c.readRequest()
		if c.say(text) && then != nil {
			then(c)
		}
	}
}

// floods answers a request with a text, and then with another without end.
func floods(text, forever string) func(*connection) {
	return says(text, func(c *connection) { c.flood(forever) })
}

// drips answers a request with a text, and then drips another without end.
func drips(text, forever string) func(*connection) {
	return says(text, func(c *connection) { c.drip(forever) })
}

// HTTP1 returns the faults of HTTP/1.1 without TLS.
func HTTP1() []Fault {
	const ok, length = "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
	faults := []Fault{
		{Name: "nobody listens", absent: true},
		{Name: "resets at once", answer: (*connection).reset},
		{Name: "resets instead of an answer", answer: says("", (*connection).reset)},
		{Name: "closes instead of an answer", answer: says("", nil)},
		{Name: "accepts and does nothing", answer: func(c *connection) { c.hang() }},
		{Name: "hangs before the answer", answer: says("", (*connection).hang)},
		{Name: "hangs within the status", answer: says("HTTP/1.1 2", (*connection).hang)},
		{Name: "hangs within the headers", answer: says(ok+"A: b", (*connection).hang)},
		{Name: "hangs within the body", answer: says(length+"half", (*connection).hang)},
		{Name: "hangs within a chunk", answer: says(ok+"Transfer-Encoding: chunked\r\n\r\nff\r\nhalf", (*connection).hang)},
		{Name: "hangs instead of the last chunk", answer: says(ok+"Transfer-Encoding: chunked\r\n\r\n4\r\nfull\r\n", (*connection).hang)},
		{Name: "drips the headers", answer: drips("", ok+strings.Repeat("A: b\r\n", 1000))},
		{Name: "drips the body", answer: drips(ok+"\r\n", "x")},
		{Name: "drips the body of a failure", answer: drips("HTTP/1.1 500 Oops\r\n\r\n", "x")},
		{Name: "drips interim answers", answer: drips("", "HTTP/1.1 102 Processing\r\n\r\n")},
		{Name: "endless body", answer: floods(ok+"\r\n", filler)},
		{Name: "endless body of a failure", answer: floods("HTTP/1.1 500 Oops\r\n\r\n", filler)},
		{Name: "endless chunks", answer: floods(ok+"Transfer-Encoding: chunked\r\n\r\n", "1000\r\n"+filler+"\r\n")},
		{Name: "endless chunk extension", answer: floods(ok+"Transfer-Encoding: chunked\r\n\r\n4;", filler)},
		{Name: "endless trailers", answer: floods(ok+"Transfer-Encoding: chunked\r\n\r\n0\r\n", "A: "+filler+"\r\n")},
		{Name: "endless headers", answer: floods(ok, "A: "+filler+"\r\n")},
		{Name: "an endless header", answer: floods(ok+"A: ", filler)},
		{Name: "endless status", answer: floods("HTTP/1.1 200 ", filler)},
		{Name: "endless interim answers", answer: floods("", "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n")},
		{Name: "a body of all lengths", answer: says(ok+"Content-Length: 9223372036854775807\r\n\r\nx", (*connection).hang)},
		{Name: "two lengths", answer: says(ok+"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", nil)},
		{Name: "a chunk that overflows", answer: says(ok+"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx", nil)},
		{Name: "cuts the body", answer: says(length+"half", nil)},
		{Name: "cuts a body without a length", answer: says(ok+"\r\nhalf", nil)},
		{Name: "cuts the chunks", answer: says(ok+"Transfer-Encoding: chunked\r\n\r\n4\r\nfull\r\n", nil)},
		{Name: "resets within the body", answer: says(length+"half", (*connection).reset)},
		{Name: "answers twice", answer: says(ok+"Content-Length: 0\r\n\r\nHTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", (*connection).hang)},
		{Name: "answers before it has read the body", answer: func(c *connection) {
			c.reader = bufio.NewReader(c)
			if _, err := http.ReadRequest(c.reader); err == nil && c.say("HTTP/1.1 204 No Content\r\n\r\n") {
				c.hang()
			}
		}},
		{Name: "switches protocols", answer: says("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: canary\r\n\r\ncanary", (*connection).hang)},
		{Name: "speaks SMTP", answer: says("220 canary ESMTP\r\n", (*connection).hang)},
		{Name: "speaks in bytes", answer: says("\x00\xff\x16\x03\x01\x00\x00", nil)},
		{Name: "a status of its own", answer: says("HTTP/1.1 799 Canary\r\nContent-Length: 0\r\n\r\n", nil)},
		{Name: "a compressed body", answer: says(ok+"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00", nil)},
		{Name: "not modified", answer: says("HTTP/1.1 304 Not Modified\r\n\r\n", nil)},
	}
	for _, code := range []int{301, 302, 303, 307, 308} {
		faults = append(faults, Fault{Name: fmt.Sprintf("redirects inward with %d", code), answer: func(c *connection) {
			c.readRequest()
			c.say(fmt.Sprintf("HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", code, c.options.Inward))
		}})
	}
	return faults
}
