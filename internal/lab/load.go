// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	crand "crypto/rand"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
)

// Load changes objects through Caddy, as fast as it answers.
type Load struct {
	// Requests counts the requests sent, Failed those that did not succeed.
	Requests, Failed atomic.Int64

	cancel  context.CancelFunc
	running sync.WaitGroup
	mu      sync.Mutex
	first   string
}

// NewLoad starts a load: each client changes its own objects, with a body of
// this size. One request in twenty is a delete.
func NewLoad(ctx context.Context, c *Caddy, clients, objects, size int) *Load {
	l := new(Load)
	ctx, l.cancel = context.WithCancel(ctx)
	// Random bytes, so that Badger cannot compress them away.
	noise := make([]byte, size/2)
	_, _ = crand.Read(noise)
	padding := hex.EncodeToString(noise)
	for client := range clients {
		l.running.Go(func() {
			random := rand.New(rand.NewPCG(uint64(client), 1))
			for i := 0; ctx.Err() == nil; i++ {
				path := fmt.Sprintf("/items/%d-%d", client, random.IntN(objects))
				method, body := http.MethodPut, fmt.Sprintf(`{"n":%d,"padding":%q}`, i, rotate(padding, i))
				if random.IntN(20) == 0 {
					method, body = http.MethodDelete, ""
				}
				// Requests are not cancelled: their effects are compared.
				status, err := c.Do(context.WithoutCancel(ctx), method, path, body)
				l.Requests.Add(1)
				if err != nil || status < 200 || status > 299 {
					l.fail(fmt.Sprintf("%s %s: %d, %v", method, path, status, err))
				}
			}
		})
	}
	return l
}

func (l *Load) fail(what string) {
	l.Failed.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == "" {
		l.first = what
	}
}

// FirstFailure returns the first request that failed, "" if none did.
func (l *Load) FirstFailure() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}

// Cease begins no more requests; those under way continue.
func (l *Load) Cease() { l.cancel() }

// Stop ends the load, and waits for it.
func (l *Load) Stop() {
	l.cancel()
	l.running.Wait()
}

// rotate makes another text of the same length.
func rotate(text string, by int) string {
	if text == "" {
		return ""
	}
	by = by * 31 % len(text)
	return text[by:] + text[:by]
}
