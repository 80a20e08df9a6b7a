// SPDX-License-Identifier: Apache-2.0

package transparent

import (
	"io"
	"strings"
	"testing"
)

// If an API breaks off within its response, the client gets the same part of
// it, and knows that it is a part.
func TestCutByTheAPI(t *testing.T) {
	l := newLab(t)
	half := strings.Repeat("h", 50_000)
	for name, api := range map[string]func(*exchange){
		"length":              says("HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n%s", half),
		"length, small":       says("HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nContent-Length: 33\r\n\r\n%s", created[:10]),
		"length, nothing yet": says("HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nContent-Length: 33\r\n\r\n"),
		"chunked":             says("HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\nc350\r\n%s\r\n", half),
		"within a chunk":      says("HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\nc351\r\n%s", half),
		"bad chunk":           says("HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"),
		"without trailers":    says("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTrailer: X-A\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"),
		"after the client has a part": func(x *exchange) {
			x.read()
			x.write("HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
			x.chunk("abc")
			x.clientHas(3)
		},
	} {
		t.Run(name, func(t *testing.T) { l.sameOnEvery(t, plan{body: []string{"{}"}}, api, uncompressed) })
	}
}

// The API sees a client hang up as it does without the module.
func TestClientLeaves(t *testing.T) {
	l := newLab(t)
	endless := func(header string) func(*exchange) {
		return func(x *exchange) {
			x.read()
			x.write("HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\n" + header)
			piece := strings.Repeat("x", 10_000)
			for x.chunk(piece) {
				continue
			}
			x.run.observe("the proxy hung up")
		}
	}
	for name, tc := range map[string]struct {
		leave func(position) bool
		api   func(*exchange)
	}{
		"before the header": {func(p position) bool { return p.uploaded >= 2 || p.permitted }, func(x *exchange) {
			x.read()
			x.run.move(func(p *position) { p.permitted = true })
			x.awaitHangup()
		}},
		"after the header": {func(p position) bool { return p.answered }, func(x *exchange) {
			x.read()
			x.write("HTTP/1.1 201 Created\r\nContent-Type: text/event-stream\r\n\r\n")
			x.awaitHangup()
		}},
		"within events": {func(p position) bool { return p.received > 0 }, func(x *exchange) {
			x.read()
			x.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
			x.awaitHangup()
		}},
		"within chunks":   {func(p position) bool { return p.received > 100_000 }, endless("Transfer-Encoding: chunked\r\n\r\n")},
		"within a length": {func(p position) bool { return p.received > 100_000 }, endless("Content-Length: 1000000000000\r\n\r\n")},
		"after a hint": {func(p position) bool { return p.informed > 0 }, func(x *exchange) {
			x.read()
			x.write("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
			x.awaitHangup()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l.sameOnEvery(t, plan{body: []string{"{}"}, leave: tc.leave}, tc.api, uncompressed)
		})
	}
	t.Run("within the request", func(t *testing.T) {
		p := plan{
			body: []string{"abc", "def", "never sent"}, chunked: true, lockstep: true,
			leave: func(p position) bool { return p.uploaded >= 3 },
		}
		api := func(x *exchange) {
			n, _ := io.ReadFull(x.request.Body, make([]byte, 3))
			x.run.move(func(p *position) { p.uploaded = n })
			x.awaitHangup()
		}
		l.sameOnEvery(t, p, api, func(variant string, at target) bool { return at.method != "GET" && uncompressed(variant, at) })
	})
}
