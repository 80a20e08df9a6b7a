// SPDX-License-Identifier: Apache-2.0

package transparent

import (
	"io"
	"strings"
	"testing"
)

// uncompressed leaves out the variants in which the client can count only
// compressed bytes.
func uncompressed(variant string, _ target) bool {
	return !strings.Contains(variant, "encode")
}

// Each piece of a response reaches the client before the API sends the next:
// the API waits for it.
func TestStreaming(t *testing.T) {
	l := newLab(t)
	big := strings.Repeat("x", 100_000)
	p := plan{body: []string{"{}"}}
	for name, api := range map[string]func(*exchange){
		"events":     inPieces("Content-Type: text/event-stream\r\n", "data: 1\n\n", "data: 2\n\n", "data: 3\n\n"),
		"chunked":    inPieces("", "{", `"id"`, ":", `"7"`, "}"),
		"big pieces": inPieces("", big, "x", big, "x"),
		"nothing":    inPieces(""),
		"events with a length": func(x *exchange) {
			x.read()
			x.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 10\r\n\r\n")
			if x.clientAnswered() && x.write("data:") && x.clientHas(5) {
				x.write(" 123\n")
			}
		},
		"events until closed": func(x *exchange) {
			x.read()
			x.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
			if x.clientAnswered() && x.write("data: 1\n\n") && x.clientHas(9) && x.write("data: 2\n\n") {
				x.clientHas(18)
			}
		},
		"trailers": func(x *exchange) {
			x.read()
			x.write("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
			if x.clientAnswered() && x.chunk("abc") && x.clientHas(3) && x.chunk("def") && x.clientHas(6) {
				x.write("0\r\nX-Sum: 1\r\nX-Undeclared: 2\r\n\r\n")
			}
		},
		"trailers, no body": func(x *exchange) {
			x.read()
			x.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
			if x.clientAnswered() {
				x.write("0\r\nX-Sum: 1\r\n\r\n")
			}
		},
		"early hints": func(x *exchange) {
			x.read()
			x.write("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
			if x.clientInformed(1) && x.write("HTTP/1.1 103 Early Hints\r\nLink: </b.css>; rel=preload\r\n\r\n") && x.clientInformed(2) {
				x.writef("HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nLink: </c>\r\nContent-Length: %d\r\n\r\n%s", len(created), created)
			}
		},
		"processing, then nothing": func(x *exchange) {
			x.read()
			if x.write("HTTP/1.1 102 Processing\r\nX-Step: 1\r\n\r\n") && x.clientInformed(1) {
				x.write("HTTP/1.1 204 No Content\r\n\r\n")
			}
		},
	} {
		t.Run(name, func(t *testing.T) { l.sameOnEvery(t, p, api, uncompressed) })
	}
}

// With a proxy that flushes at once, the header of a response arrives before
// the body, and each piece of the body before the next, even if the response
// has a length. The last piece of a create waits for the mark, and for nothing
// from the API.
func TestStreamingWithLength(t *testing.T) {
	l := newLab(t)
	api := func(x *exchange) {
		x.read()
		x.writef("HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", len(created))
		if !x.clientAnswered() {
			return
		}
		for i := range created {
			if !x.write(created[i:i+1]) || !x.clientHas(i+1) {
				return
			}
		}
	}
	l.sameOnEvery(t, plan{body: []string{"{}"}}, api, func(variant string, _ target) bool { return variant == "eager" })
}

// With encode around, pieces arrive as they are flushed, compressed or not.
func TestStreamingCompressed(t *testing.T) {
	l := newLab(t)
	encoded := func(variant string, _ target) bool { return strings.Contains(variant, "encode") }
	for _, accept := range []string{"gzip", "zstd", "identity"} {
		t.Run(accept, func(t *testing.T) {
			api := func(x *exchange) {
				x.read()
				x.write("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
				x.chunk(strings.Repeat("<p>first</p>", 1000))
				// The compressed size is not known here.
				if x.clientHas(1) && x.chunk("<p>last</p>") {
					x.write("0\r\n\r\n")
				}
			}
			p := plan{body: []string{"{}"}, fields: []string{"Accept-Encoding: " + accept}}
			l.sameOnEvery(t, p, api, encoded)
		})
	}
}

// Each piece of a request reaches the API before the client sends the next.
func TestUploads(t *testing.T) {
	l := newLab(t)
	writes := func(_ string, at target) bool { return at.method != "GET" }
	big := strings.Repeat("y", 1<<20)
	for name, p := range map[string]plan{
		"in lockstep":           {body: []string{"{", `"a"`, ":1", "}"}, lockstep: true},
		"in lockstep, chunked":  {body: []string{"{", `"a"`, ":1", "}"}, lockstep: true, chunked: true},
		"large":                 {body: []string{big, "z", big}, lockstep: true},
		"large, chunked":        {body: []string{big, "z", big}, chunked: true},
		"empty, chunked":        {body: []string{}, chunked: true},
		"empty, length":         {body: []string{}},
		"none":                  {},
		"trailers":              {body: []string{"abc", "def"}, chunked: true, trailers: []string{"X-Sum: 1"}},
		"odd header":            {body: []string{"{}"}, fields: []string{"X-Multi: 1", "X-Multi: 2", "Cookie: a=1; b=2", "Authorization: Basic eDp5"}},
		"idempotency key":       {body: []string{"{}"}, fields: []string{"Idempotency-Key: k", "If-Match: \"1\"", "Range: bytes=0-1"}},
		"forwarded by somebody": {body: []string{"{}"}, fields: []string{"X-Forwarded-For: 192.0.2.1", "Via: 1.1 other", "Te: trailers"}},
	} {
		t.Run(name, func(t *testing.T) {
			l.sameOnEvery(t, p, withLength("201 Created", "", created), writes)
		})
	}
}

// A client that asks whether to send its body gets an answer when the API reads
// it.
func TestExpectContinue(t *testing.T) {
	l := newLab(t)
	only := func(variant string, at target) bool { return !l.pairs[variant].bare.tls && at.method != "GET" }
	p := plan{body: []string{"{", "}"}, expect: true, lockstep: true}
	t.Run("accepted", func(t *testing.T) { l.sameOnEvery(t, p, withLength("201 Created", "", created), only) })
}

// An API may answer before it has read the request.
func TestEarlyAnswers(t *testing.T) {
	l := newLab(t)
	writes := func(_ string, at target) bool { return at.method != "GET" }
	// How much of the request still arrives then is random, and so is whether
	// the connection is kept; so neither is compared.
	early := func(x *exchange) {
		x.writef("HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(created), created)
		_, _ = io.Copy(io.Discard, x.conn)
	}
	t.Run("small request", func(t *testing.T) {
		l.sameOnEvery(t, plan{body: []string{"{}"}, last: true}, early, writes)
	})
	t.Run("refused", func(t *testing.T) {
		refuse := func(x *exchange) {
			x.write("HTTP/1.1 413 Too Large\r\nContent-Type: text/plain\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmuch")
			_, _ = io.Copy(io.Discard, x.conn)
		}
		l.sameOnEvery(t, plan{body: []string{"{}"}, last: true}, refuse, writes)
	})
	t.Run("both ways at once", func(t *testing.T) {
		echo := func(x *exchange) {
			x.write("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
			x.clientAnswered()
			x.read()
			x.chunk("done")
			x.write("0\r\n\r\n")
		}
		h2 := func(variant string, at target) bool {
			return l.pairs[variant].bare.tls && at.method != "GET" && uncompressed(variant, at)
		}
		l.sameOnEvery(t, plan{body: []string{"one", "two"}, chunked: true, lockstep: true}, echo, h2)
	})
}
