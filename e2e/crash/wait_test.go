// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"
)

// patience is how long the tests wait for what must come, on the slowest of machines.
const patience = 3 * time.Minute

// pause waits for a while, or until ctx ends. It reports whether the while has
// passed.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// eventually retries until there is no error, or returns the last error when
// ctx ends.
func eventually(ctx context.Context, every time.Duration, ask func() error) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// within returns a context that ends after a while, or with the test.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

var (
	portsMu sync.Mutex
	ports   = make(map[int]bool)
)

// freePort returns a port that nobody listens on. It is not one of those that
// the system assigns to outgoing connections: while the process is down, one of
// its clients could get its port, and it could not start again.
func freePort(t *testing.T) string {
	t.Helper()
	portsMu.Lock()
	defer portsMu.Unlock()
	for range 1000 {
		port := 20_000 + rand.IntN(10_000)
		if ports[port] {
			continue
		}
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		listener.Close()
		ports[port] = true
		return listener.Addr().String()
	}
	t.Fatal("found no free port")
	return ""
}
