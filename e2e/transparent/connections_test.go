// SPDX-License-Identifier: Apache-2.0

package transparent

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// converse sends bytes on a connection to a site and returns everything that
// comes back.
func converse(t *testing.T, s site, talk func(c *client, say func(string), hear func(string)) string) string {
	t.Helper()
	c, err := dial(s)
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	say := func(text string) {
		if _, err := io.WriteString(c.conn, text); err != nil {
			t.Fatal(err)
		}
	}
	hear := func(text string) {
		got := make([]byte, len(text))
		if _, err := io.ReadFull(c.reader, got); err != nil || string(got) != text {
			t.Fatalf("heard %q, %v, want %q", got, err, text)
		}
	}
	return talk(c, say, hear)
}

// Pipelined requests on a connection, which do not wait for each other's
// answers, are answered in order.
func TestPipelined(t *testing.T) {
	l := newLab(t)
	const count = 100
	for _, name := range []string{"plain", "reused", "encode", "logged", "handled", "intercepted"} {
		t.Run(name, func(t *testing.T) {
			account := func(s site) string {
				runs := make([]*run, count)
				var requests strings.Builder
				var plans []plan
				for i := range runs {
					runs[i] = l.newRun(func(x *exchange) {
						x.read()
						x.keep = name == "reused"
						body := fmt.Sprintf(`{"id":"%d"}`, i)
						if i%2 == 0 {
							x.writef("HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
							return
						}
						x.writef("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
					})
					at := targets[i%len(targets)]
					plans = append(plans, plan{method: at.method, path: at.path})
					fmt.Fprintf(&requests, "%s %s HTTP/1.1\r\nHost: %s\r\n%s: %s\r\nContent-Length: 2\r\n\r\n{}", at.method, at.path, hostname, runHeader, runs[i].id)
				}
				return converse(t, s, func(c *client, say func(string), _ func(string)) string {
					say(requests.String())
					var answers strings.Builder
					for i, r := range runs {
						fmt.Fprintf(&answers, "%d: %s\n", i, c.receive(plans[i], r))
						observed, _ := r.account()
						answers.WriteString(observed + "\n")
					}
					return answers.String()
				})
			}
			both := l.pairs[name]
			bare, watched := account(both.bare), account(both.watched)
			if bare != watched {
				t.Errorf("without the module:\n%s\nwith it:\n%s", bare, watched)
			}
			if strings.Count(bare, "end: whole") != count {
				t.Errorf("the answers are\n%s", bare)
			}
		})
	}
}

// A connection that changes its protocol carries bytes both ways, whatever the
// method and the path; and an API that declines answers as usual.
func TestUpgrade(t *testing.T) {
	l := newLab(t)
	switches := func(protocol string) func(*exchange) {
		return func(x *exchange) {
			x.read()
			x.writef("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\nX-Odd: 1\r\n\r\nhello", protocol)
			buffer := make([]byte, 4)
			for _, reply := range []string{"one!", "two!"} {
				if _, err := io.ReadFull(x.conn, buffer); err != nil {
					x.run.observe("broke off")
					return
				}
				x.run.observe("%s", buffer)
				x.write(reply)
			}
			x.awaitHangup()
		}
	}
	for _, name := range []string{"plain", "encode", "logged", "handled", "intercepted", "eager"} {
		for _, protocol := range []string{"websocket", "odd/1"} {
			for _, at := range targets {
				t.Run(strings.Join([]string{name, protocol, at.method, at.path}, " "), func(t *testing.T) {
					fields := "Connection: keep-alive, Upgrade\r\nUpgrade: " + protocol + "\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
					account := func(s site) string {
						r := l.newRun(switches(protocol))
						answer := converse(t, s, func(c *client, say, hear func(string)) string {
							say(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n%s: %s\r\n%s\r\n", at.method, at.path, hostname, runHeader, r.id, fields))
							answer := c.receive(plan{method: at.method}, r).String()
							hear("hello")
							say("abcd")
							hear("one!")
							say("efgh")
							hear("two!")
							return answer
						})
						r.await("the API to end", func(p position) bool { return p.finished })
						observed, stuck := r.account()
						if stuck != "" {
							t.Fatalf("this was waited for: %s", stuck)
						}
						return answer + observed
					}
					both := l.pairs[name]
					bare, watched := account(both.bare), account(both.watched)
					if bare != watched || !strings.Contains(bare, " 101 ") {
						t.Errorf("without the module:\n%s\nwith it:\n%s", bare, watched)
					}
				})
			}
		}
	}
	t.Run("declined", func(t *testing.T) {
		p := plan{body: []string{"{}"}, fields: []string{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"}}
		l.sameOnEvery(t, p, withLength("201 Created", "", created), func(variant string, _ target) bool { return !l.pairs[variant].bare.tls })
	})
}
