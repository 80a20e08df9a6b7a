// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// result is what a client knows about a request that it sent.
type result struct {
	method string
	status int    // 0 if no answer was begun
	whole  bool   // the answer was complete
	object string // named by the request or the answer
	err    error
}

// succeeded reports whether the client knows that its request was executed.
func (r result) succeeded() bool {
	return r.whole && r.status >= 200 && r.status <= 299
}

// load is a number of clients that write through Caddy.
type load struct {
	base   string
	client *http.Client
	// rough makes clients hang up now and then.
	rough bool
	// upserts are resources that are written by PUT only.
	upserts []string

	mu      sync.Mutex
	random  *rand.Rand
	minted  []string // objects whose ids the API chose and returned
	results []result

	running sync.WaitGroup
}

// names is how many objects the clients of a resource choose from: few, so that
// they often write to the same one.
const names = 24

func newLoad(t *testing.T, address string, stream uint64) *load {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	t.Cleanup(transport.CloseIdleConnections)
	return &load{
		base:   "http://" + address,
		client: &http.Client{Transport: transport, Timeout: 20 * time.Second},
		random: rand.New(rand.NewPCG(*seed, stream)),
	}
}

// run starts clients, which work until ctx ends. They finish requests that they
// have sent by then, and wait returns after that.
func (l *load) run(ctx context.Context, clients int) {
	for range clients {
		l.running.Go(func() {
			for ctx.Err() == nil {
				method, target, value, timeout := l.draw()
				r := l.send(context.WithoutCancel(ctx), method, target, value, timeout)
				var dial *net.OpError
				if errors.As(r.err, &dial) && dial.Op == "dial" {
					pause(ctx, 5*time.Millisecond)
				}
			}
		})
	}
}

func (l *load) wait() {
	l.running.Wait()
}

// sent returns the requests sent so far.
func (l *load) sent() []result {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]result(nil), l.results...)
}

// made returns the objects that clients were told were created.
func (l *load) made() []string {
	var objects []string
	for _, r := range l.sent() {
		if r.method == http.MethodPost && r.succeeded() {
			objects = append(objects, r.object)
		}
	}
	return objects
}

// draw draws a request. Timeout is how long the client waits for the answer; 0
// means as long as it takes.
func (l *load) draw() (method, target, value string, timeout time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	value = "v" + strconv.Itoa(l.random.IntN(1_000_000_000))
	if l.random.IntN(200) == 0 {
		// So large that the queue stores it in parts.
		value = strings.Repeat(value, 700<<10/len(value))
	}
	if l.rough && l.random.IntN(20) == 0 {
		timeout = time.Duration(1+l.random.IntN(50)) * time.Millisecond
	}
	if n := l.random.IntN(8); n < len(l.upserts) {
		return http.MethodPut, fmt.Sprintf("/%s/%d", l.upserts[n], l.random.IntN(names)), value, timeout
	}
	target = fmt.Sprintf("/items/%d", l.random.IntN(names))
	if len(l.minted) > 0 && l.random.IntN(3) == 0 {
		target = "/" + l.minted[max(0, len(l.minted)-1-l.random.IntN(names))]
	}
	switch n := l.random.IntN(20); {
	case n < 4:
		return http.MethodPost, "/items", value, timeout
	case n < 10:
		return http.MethodPut, target, value, timeout
	case n < 12:
		// The same value as other clients use, so that often nothing changes.
		return http.MethodPatch, target, "same", timeout
	case n < 17:
		return http.MethodPatch, target, value, timeout
	}
	return http.MethodDelete, target, "", timeout
}

// send sends a request and records its result.
func (l *load) send(ctx context.Context, method, target, value string, timeout time.Duration, headers ...string) result {
	r := result{method: method}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	l.exchange(ctx, &r, target, value, headers)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.results = append(l.results, r)
	if method == http.MethodPost && r.succeeded() {
		l.minted = append(l.minted, r.object)
	}
	return r
}

func (l *load) exchange(ctx context.Context, r *result, target, value string, headers []string) {
	var body io.Reader
	if r.method != http.MethodDelete {
		body = bytes.NewReader(fmt.Appendf(nil, `{"value":%q}`, value))
	}
	var request *http.Request
	if request, r.err = http.NewRequestWithContext(ctx, r.method, l.base+target, body); r.err != nil {
		return
	}
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := l.client.Do(request)
	if r.err = err; err != nil {
		return
	}
	defer response.Body.Close()
	r.status = response.StatusCode
	answer, err := io.ReadAll(response.Body)
	r.err, r.whole = err, err == nil
	r.object = strings.TrimPrefix(target, "/")
	if r.method == http.MethodPost && r.succeeded() {
		r.object, r.err = created(response.Header, answer)
	}
}

// created returns the object that an answer to a POST names.
func created(header http.Header, answer []byte) (string, error) {
	if len(answer) == 0 {
		return "items/" + path.Base(header.Get("Location")), nil
	}
	var show struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(answer, &show); err != nil {
		return "", fmt.Errorf("the answer %.80q to a POST: %w", answer, err)
	}
	return "items/" + show.ID, nil
}
