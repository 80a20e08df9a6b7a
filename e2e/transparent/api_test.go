// SPDX-License-Identifier: Apache-2.0

package transparent

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// runHeader says to the API which run a request belongs to.
const runHeader = "X-Run"

// api is a server that writes a run's script to its connections, byte by byte.
// Requests without a run are the module's reads of Shows.
type api struct {
	addr  string
	shows chan string // paths of Shows that were read

	mu   sync.Mutex
	runs map[string]*run
}

// exchange is a request on the API's side.
type exchange struct {
	run     *run
	conn    net.Conn
	request *http.Request
	// keep leaves the connection open for the next request.
	keep bool
}

func startAPI(t *testing.T) *api {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &api{addr: listener.Addr().String(), shows: make(chan string, 1<<16), runs: make(map[string]*run)}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			// A proxy that stops may leave a connection that it never used.
			unhook := context.AfterFunc(ctx, func() { conn.Close() })
			serving.Go(func() {
				defer unhook()
				defer conn.Close()
				a.serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		cancel()
		serving.Wait()
	})
	return a
}

func (a *api) add(r *run) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.runs[r.id] = r
}

func (a *api) serve(conn net.Conn) {
	reader := bufio.NewReader(conn)
	for {
		if err := conn.SetDeadline(time.Now().Add(2 * testTimeout)); err != nil {
			return
		}
		request, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		a.mu.Lock()
		r := a.runs[request.Header.Get(runHeader)]
		a.mu.Unlock()
		if r == nil {
			a.shows <- request.URL.Path
			_, _ = io.WriteString(conn, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			return
		}
		x := &exchange{run: r, conn: conn, request: request}
		r.observe("%s", describe(request))
		r.move(func(p *position) { p.asked = true })
		r.script(x)
		if !x.keep {
			conn.Close()
		}
		r.move(func(p *position) { p.finished = true })
		if !x.keep {
			return
		}
	}
}

// describe returns everything that the API sees of a request's header.
func describe(r *http.Request) string {
	var lines []string
	for name, values := range r.Header {
		for _, value := range values {
			if name == runHeader {
				continue
			}
			lines = append(lines, name+": "+value)
		}
	}
	slices.Sort(lines)
	return fmt.Sprintf("%s %s %s\nHost: %s\n%s\nlength %d, encoding %v, trailers %v", r.Method, r.RequestURI, r.Proto,
		r.Host, strings.Join(lines, "\n"), r.ContentLength, r.TransferEncoding, len(r.Trailer))
}

// write sends bytes to the proxy, and returns false if it has hung up.
func (x *exchange) write(text string) bool {
	_, err := io.WriteString(x.conn, text)
	return err == nil
}

// writef sends formatted text to the proxy.
func (x *exchange) writef(format string, args ...any) bool {
	return x.write(fmt.Sprintf(format, args...))
}

// chunk sends one chunk of a chunked body.
func (x *exchange) chunk(data string) bool {
	return x.writef("%x\r\n%s\r\n", len(data), data)
}

// read reads the request's body to its end.
func (x *exchange) read() {
	hash, buffer, total := sha256.New(), make([]byte, 32<<10), 0
	for {
		n, err := x.request.Body.Read(buffer)
		hash.Write(buffer[:n])
		total += n
		x.run.move(func(p *position) { p.uploaded = total })
		if err == io.EOF {
			break
		}
		if err != nil {
			// How much was in transit is random.
			x.run.observe("the body broke off")
			return
		}
	}
	x.run.observe("body of %d bytes, %x, trailers %v", total, hash.Sum(nil), x.request.Trailer)
}

// clientHas waits until the client has this much of the response's body.
func (x *exchange) clientHas(bytes int) bool {
	return x.run.await(fmt.Sprintf("the client to have %d bytes", bytes), func(p position) bool {
		return p.answered && p.received >= bytes
	})
}

// clientAnswered waits until the client has the response's header.
func (x *exchange) clientAnswered() bool {
	return x.run.await("the client to have the header", func(p position) bool { return p.answered })
}

// clientInformed waits until the client has this many 1xx responses.
func (x *exchange) clientInformed(count int) bool {
	return x.run.await(fmt.Sprintf("the client to have %d informational responses", count), func(p position) bool { return p.informed >= count })
}

// awaitHangup reads until the proxy hangs up.
func (x *exchange) awaitHangup() {
	_, err := io.Copy(io.Discard, x.conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		x.run.observe("the proxy did not hang up")
		return
	}
	x.run.observe("the proxy hung up")
}
