// SPDX-License-Identifier: Apache-2.0

package transparent

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
)

const created = `{"id":"7","v":1,"name":"a thing"}`

// says returns an API that reads the request and answers with these bytes.
func says(format string, args ...any) func(*exchange) {
	text := fmt.Sprintf(format, args...)
	return func(x *exchange) {
		x.read()
		x.write(text)
	}
}

// withLength returns an answer with a Content-Length and a type: whether Caddy
// detects a missing type depends on when it flushes.
func withLength(status, header, body string) func(*exchange) {
	if !strings.Contains(header, "Content-Type") {
		header += "Content-Type: application/json\r\n"
	}
	return says("HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s", status, header, len(body), body)
}

// inPieces answers with a header, and then with pieces. Each piece is sent when
// the client has all before.
func inPieces(header string, pieces ...string) func(*exchange) {
	return func(x *exchange) {
		x.read()
		x.write("HTTP/1.1 201 Created\r\n" + header + "Transfer-Encoding: chunked\r\n\r\n")
		if !x.clientAnswered() {
			return
		}
		sent := 0
		for _, piece := range pieces {
			x.chunk(piece)
			if sent += len(piece); !x.clientHas(sent) {
				return
			}
		}
		x.write("0\r\n\r\n")
	}
}

func zipped(text string) string {
	var out bytes.Buffer
	writer := gzip.NewWriter(&out)
	_, _ = writer.Write([]byte(text))
	_ = writer.Close()
	return out.String()
}

// large is larger than what is captured, and than Caddy's buffers.
var large = strings.Repeat(`{"id":"7","text":"0123456789abcdef"}`, 1<<20/36)

// responses are possible answers of an API, in one piece.
func responses() map[string]func(*exchange) {
	const plainText = "Content-Type: text/plain\r\n"
	answers := map[string]func(*exchange){
		"length":               withLength("201 Created", "Content-Type: application/json\r\nLocation: /items/7\r\n", created),
		"chunked":              says("HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(created), created),
		"until closed":         says("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n%s", created),
		"HTTP/1.0":             says("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n%s", created),
		"empty, length":        withLength("200 OK", "", ""),
		"empty, with Location": withLength("201 Created", "Location: /items/7\r\n", ""),
		"204":                  says("HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n"),
		"205":                  withLength("205 Reset Content", "", ""),
		"304":                  says("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n"),
		"304 with a length":    says("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 33\r\n\r\n"),
		"no id":                withLength("201 Created", "", `{"ok":true}`),
		"bad id":               withLength("201 Created", "", `{"id":"../x"}`),
		"large":                withLength("200 OK", plainText, large),
		"large, chunked":       says("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(large), large),
		"just what is captured": withLength("201 Created", plainText,
			`{"id":"7","x":"`+strings.Repeat("x", 64<<10-17)+`"}`),
		"many values": withLength("200 OK", "Set-Cookie: a=1\r\nset-cookie: b=2\r\nX-ODD-casing: 1\r\nx-odd-CASING: 2\r\n"+
			"Vary: a\r\nVary: b, c\r\nX-Empty:\r\nWarning: 199 - \"x\", 214 - \"y\"\r\nServer: legacy/0.1\r\nVia: 1.0 old\r\n"+
			"X-Long: "+strings.Repeat("y", 6000)+"\r\nX-Latin: caf\xe9\r\nConnection: X-Hop, close\r\nX-Hop: gone\r\n", created),
		"no content type":  says("HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>"),
		"zipped":           withLength("200 OK", "Content-Encoding: gzip\r\nContent-Type: application/json\r\n", zipped(created)),
		"zipped, large":    withLength("200 OK", "Content-Encoding: gzip\r\nContent-Type: application/json\r\n", zipped(large)),
		"unknown encoding": withLength("200 OK", "Content-Encoding: rot13\r\n", "uryyb"),
		"compressible":     withLength("200 OK", "Content-Type: text/html\r\nETag: \"v1\"\r\nAccept-Ranges: bytes\r\n", strings.Repeat("<p>hello</p>", 2000)),
		"partial":          withLength("206 Partial Content", "Content-Range: bytes 0-9/100\r\n", "0123456789"),
		"file":             withLength("200 OK", "X-Accel-Redirect: /200000.txt\r\n", "ignored"),
		"small file":       withLength("200 OK", "X-Accel-Redirect: /100.txt\r\n", "ignored"),
		"empty file":       withLength("200 OK", "X-Accel-Redirect: /0.txt\r\n", "ignored"),
		"no such file":     withLength("200 OK", "X-Accel-Redirect: /none.txt\r\n", "ignored"),
		"copied":           withLength("201 Created", "X-Copied: yes\r\n", created),
		"declared trailers": says("HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-Other\r\n\r\n"+
			"%x\r\n%s\r\n0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n", len(created), created),
		"undeclared trailers": says("HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"+
			"%x\r\n%s\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n", len(created), created),
		"no response":      says(""),
		"no HTTP":          says("SSH-2.0-OpenSSH_9.7\r\n"),
		"half a header":    says("HTTP/1.1 200 OK\r\nContent-Le"),
		"header too large": says("HTTP/1.1 200 OK\r\nX-A: %s\r\n\r\n", strings.Repeat("x", 100<<10)),
		"100 of its own":   says("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(created), created),
	}
	for _, status := range []string{
		"202 Accepted", "299 Odd", "302 Found", "400 Bad Request", "401 Unauthorized", "408 Request Timeout",
		"409 Conflict", "418 Teapot", "422 Unprocessable", "499 Gone", "500 Broken", "503 Unavailable", "599 Odder", "999 Oddest",
	} {
		answers[status] = withLength(status, plainText, created)
		answers[status+", empty"] = withLength(status, "", "")
	}
	return answers
}

// An API's answer, in whatever form, reaches the client as it does without the
// module.
func TestResponses(t *testing.T) {
	l := newLab(t)
	for name, api := range responses() {
		t.Run(name, func(t *testing.T) {
			l.sameOnEvery(t, plan{body: []string{`{"name":"a thing"}`}}, api, func(variant string, _ target) bool {
				return name != "no content type" || variant != "eager"
			})
		})
	}
}

// The same holds for all encodings that the client accepts, whether the API
// compresses, or Caddy, or nobody.
func TestEncodings(t *testing.T) {
	l := newLab(t)
	page := strings.Repeat("<p>hello</p>", 2000)
	negotiated := func(x *exchange) {
		x.read()
		body, encoding := page, ""
		if strings.Contains(x.request.Header.Get("Accept-Encoding"), "gzip") {
			body, encoding = zipped(page), "Content-Encoding: gzip\r\n"
		}
		x.writef("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n%sContent-Length: %d\r\n\r\n%s", encoding, len(body), body)
	}
	for _, accept := range []string{"", "gzip", "zstd", "zstd, gzip;q=0.5", "identity", "br"} {
		var fields []string
		if accept != "" {
			fields = []string{"Accept-Encoding: " + accept}
		}
		for name, api := range map[string]func(*exchange){
			"negotiated": negotiated,
			"plain":      withLength("200 OK", "Content-Type: text/html\r\n", page),
			"small":      withLength("200 OK", "Content-Type: application/json\r\n", created),
			"chunked": says("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n",
				len(page), page),
			"zipped": withLength("200 OK", "Content-Type: text/html\r\nContent-Encoding: gzip\r\nETag: \"1\"\r\n", zipped(page)),
		} {
			t.Run(name+" for "+accept, func(t *testing.T) {
				l.sameOnEvery(t, plan{fields: fields, body: []string{"{}"}}, api, nil)
			})
		}
	}
}

// HEAD has a header and no body.
func TestHead(t *testing.T) {
	l := newLab(t)
	for name, both := range l.pairs {
		t.Run(name, func(t *testing.T) {
			l.compare(t, both, plan{method: "HEAD", path: "/items/42"}, says("HTTP/1.1 200 OK\r\nContent-Length: 33\r\nETag: \"1\"\r\n\r\n"))
		})
	}
}

// An unreachable API gives the same error, including its page.
func TestNobodyListens(t *testing.T) {
	l := newLab(t)
	p := plan{fields: []string{"X-Dead: yes"}, body: []string{"{}"}}
	l.sameOnEvery(t, p, nil, nil)
}
