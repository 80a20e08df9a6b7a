// SPDX-License-Identifier: Apache-2.0

package transparent

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// script is an API's answer, drawn at random.
type script struct {
	hints    []string
	status   int
	fields   []string
	framing  string
	pieces   []string
	waits    []bool // whether to wait, after a piece, until the client has it
	trailers []string
	cut      bool
}

// drawScript draws an answer. It waits for the client only where Caddy passes
// on at once what it has.
func drawScript(t *rapid.T, streams bool) script {
	s := script{
		status:  rapid.SampledFrom([]int{200, 200, 201, 201, 202, 204, 206, 299, 302, 304, 400, 404, 409, 499, 500, 503, 599}).Draw(t, "status"),
		framing: rapid.SampledFrom([]string{"length", "chunked", "close", "events"}).Draw(t, "framing"),
		cut:     rapid.IntRange(0, 9).Draw(t, "cut") == 0,
	}
	size := rapid.OneOf(rapid.IntRange(1, 64), rapid.SampledFrom([]int{512, 4096, 32 << 10, 64 << 10, 64<<10 + 1, 200_000}))
	least := 0
	if !streams {
		// What encode makes of an empty body depends on when Caddy flushes.
		least = 1
	}
	for i, size := range rapid.SliceOfN(size, least, 8).Draw(t, "sizes") {
		text := fmt.Sprintf(`{"id":"%d","text":"`, i)
		s.pieces = append(s.pieces, (text + strings.Repeat(string(rune('a'+i)), size))[:size])
		s.waits = append(s.waits, streams && s.framing != "length" && rapid.Bool().Draw(t, "wait"))
	}
	value := rapid.StringMatching(`[!-~]([ -~]{0,30}[!-~])?`)
	name := rapid.SampledFrom([]string{"X-A", "x-a", "X-ODD-Case", "Set-Cookie", "ETag", "Location", "Cache-Control", "Vary", "Server", "Link"})
	for range rapid.IntRange(0, 8).Draw(t, "fields") {
		s.fields = append(s.fields, name.Draw(t, "name")+": "+value.Draw(t, "value"))
	}
	if s.framing == "events" {
		s.fields = append(s.fields, "Content-Type: text/event-stream")
	} else {
		s.fields = append(s.fields, "Content-Type: "+rapid.SampledFrom([]string{"application/json", "text/plain", "text/html"}).Draw(t, "type"))
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "hints") {
		s.hints = append(s.hints, fmt.Sprintf("HTTP/1.1 103 Early Hints\r\nLink: </%d>\r\n\r\n", i))
	}
	if s.framing == "chunked" {
		s.trailers = rapid.SliceOfN(rapid.SampledFrom([]string{"X-Sum: 1", "X-Sum: 2", "X-Other: 3"}), 0, 3).Draw(t, "trailers")
	}
	return s
}

// play plays a script. Whether encode compresses depends on the size of the
// first piece, so with encode around, nothing is sent in pieces.
func (s script) play(x *exchange, flushed bool) {
	x.read()
	for i, hint := range s.hints {
		if !x.write(hint) || !x.clientInformed(i+1) {
			return
		}
	}
	bodiless := s.status == 204 || s.status == 304
	head := fmt.Sprintf("HTTP/1.1 %d Word\r\n%s\r\n", s.status, strings.Join(s.fields, "\r\n"))
	switch {
	case bodiless:
	case s.framing == "length":
		head += fmt.Sprintf("Content-Length: %d\r\n", len(strings.Join(s.pieces, "")))
	case s.framing == "chunked":
		head += "Transfer-Encoding: chunked\r\n"
	}
	head += "\r\n"
	switch {
	case bodiless:
		x.write(head)
		return
	case !flushed:
		x.write(head + s.body())
		return
	case !x.write(head):
		return
	}
	// Caddy's timer decides whether the header is sent by itself. If the script
	// did not wait for that, the timer would also decide how the end of an
	// empty body is marked.
	if s.framing != "length" && !x.clientAnswered() {
		return
	}
	sent := 0
	for i, piece := range s.pieces {
		if s.cut && i == len(s.pieces)-1 {
			return
		}
		sent += len(piece)
		if !x.write(s.framed(piece)) || s.waits[i] && !x.clientHas(sent) {
			return
		}
	}
	x.write(s.last())
}

// body returns the whole body as it is sent.
func (s script) body() string {
	var body strings.Builder
	for _, piece := range s.pieces {
		body.WriteString(s.framed(piece))
	}
	return body.String() + s.last()
}

func (s script) framed(piece string) string {
	if s.framing == "chunked" {
		return fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece)
	}
	return piece
}

// last returns what marks the end of the body.
func (s script) last() string {
	if s.framing == "chunked" {
		return "0\r\n" + strings.Join(append(s.trailers, ""), "\r\n") + "\r\n"
	}
	return ""
}

// Whatever an API answers, in whatever pieces, to whatever request, both sides
// of Caddy see the same as without the module.
func TestAnything(t *testing.T) {
	l := newLab(t)
	rapid.Check(t, func(t *rapid.T) {
		variant := rapid.SampledFrom([]string{"plain", "eager", "encode", "logged", "handled", "intercepted", "tls", "tls with encode and log"}).Draw(t, "variant")
		at := rapid.SampledFrom(targets).Draw(t, "target")
		p := plan{method: at.method, path: at.path}
		if at.method != "GET" {
			p.body = []string{}
			for _, size := range rapid.SliceOfN(rapid.SampledFrom([]int{1, 2, 7, 5000, 100_000}), 0, 4).Draw(t, "request") {
				p.body = append(p.body, strings.Repeat("b", size))
			}
			p.chunked = rapid.Bool().Draw(t, "chunked request")
			p.lockstep = p.chunked && rapid.Bool().Draw(t, "lockstep")
		}
		if accept := rapid.SampledFrom([]string{"", "gzip", "zstd", "gzip, zstd"}).Draw(t, "accept"); accept != "" {
			p.fields = []string{"Accept-Encoding: " + accept}
		}
		streams := !strings.Contains(variant, "encode")
		s := drawScript(t, streams)
		if (variant == "handled" || variant == "intercepted") && (s.status == 503 || s.status == 599) {
			// What Caddy answers in place of these does not stream.
			s.status = 500
		}
		if s.cut && !streams {
			// What a compressor still holds when it is cut off is random.
			s.cut = false
		}
		l.compare(t, l.pairs[variant], p, func(x *exchange) { s.play(x, streams) })
	})
}
