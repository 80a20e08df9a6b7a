// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package strangers lets hostile clients at a real Caddy, beside ordinary ones:
// whoever can send requests that the API refuses, or break them off, gets nothing,
// invents nothing, and holds nobody up.
package strangers

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
	"github.com/caddy-webhooks/caddy-webhooks/internal/testflags"
)

var (
	binary string
	lasts  = flag.Duration("lasts", 5*time.Second, "how long the strangers are at it")
)

func TestMain(m *testing.M) {
	testflags.AtOnce(4)
	lab.Main(m, &binary)
}

// victims is how many objects there are that the queue has never seen.
const victims = 200

// attacks are requests that a stranger sends, and then hangs up. Each is sent with a
// number, and with the URL of a receiver of the stranger's.
var attacks = map[string]func(n int, receiver string) string{
	"a receiver, and half a body": func(n int, receiver string) string {
		return post("PATCH", fmt.Sprintf("/items/victim%d", n%victims), fmt.Sprintf(`{"notificationUrl":%q}`, receiver), 500)
	},
	"a receiver of an upsert": func(n int, receiver string) string {
		return post("PUT", fmt.Sprintf("/items/victim%d", n%victims), fmt.Sprintf(`{"notificationUrl":%q}`, receiver), 500)
	},
	"creates": func(n int, receiver string) string {
		return post("POST", "/items", fmt.Sprintf(`{"n":%d,"notificationUrl":%q}`, n, receiver), 500)
	},
	"spellings": func(n int, _ string) string {
		return post("PATCH", fmt.Sprintf("/items/victim%d%%20%d", n%victims, n), "{}", 500)
	},
	"objects that do not exist": func(n int, _ string) string {
		return post("DELETE", fmt.Sprintf("/items/nothing%d", n), "{}", 500)
	},
	"paths of odd spelling": func(n int, _ string) string {
		return post("PATCH", fmt.Sprintf("/items/victim%d%%2Fcard%d", n%victims, n), "{}", 2)
	},
	"refused": func(int, string) string { return post("PATCH", "/items/none", `{"a":1}`, 7) },
}

// anyHost stands for the site's.
const anyHost = "ANY.HOST"

// post returns a request whose body has fewer bytes than its header says, or as many.
func post(method, path, body string, length int) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: "+anyHost+"\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", method, path, max(length, len(body)), body)
}

// strangers send attacks until ctx ends, and return how many.
func strangers(ctx context.Context, site, receiver string) int {
	var sent atomic.Int64
	var all sync.WaitGroup
	for _, attack := range attacks {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				connection, err := net.Dial("tcp", site)
				if err != nil {
					continue
				}
				request := strings.Replace(attack(n, receiver), anyHost, site, 1)
				if _, err := connection.Write([]byte(request)); err == nil {
					sent.Add(1)
				}
				// Some wait until the API has the request.
				if n%3 == 0 {
					_ = connection.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
					_, _ = connection.Read(make([]byte, 1))
				}
				_ = connection.Close()
			}
		})
	}
	all.Wait()
	return int(sent.Load())
}

const (
	// memoryLimit is what Go's memory limit says (GOMEMLIMIT), as a container does and
	// docs/operations.md has it, and maxMemory what a Caddy under attack takes at most, at
	// any time, in bytes. Badger's merges do not feel the limit, and mapped files do not
	// count: the system takes their pages back when it needs them.
	memoryLimit = "400MiB"
	maxMemory   = 600 << 20
)

// watched returns the most memory that the process takes until ctx ends. It sends one value.
func watched(ctx context.Context, t *testing.T, pid int) <-chan int {
	most := make(chan int, 1)
	go func() {
		highest := 0
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			highest = max(highest, memory(t, pid, "RssAnon:"))
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
		most <- highest
	}()
	return most
}

// memory returns a figure of the process's status, in bytes.
func memory(t *testing.T, pid int, figure string) int {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		t.Error(err)
		return 0
	}
	for line := range bytes.Lines(status) {
		if text, ok := strings.CutPrefix(string(line), figure); ok {
			kilobytes, err := strconv.Atoi(strings.Fields(text)[0])
			if err != nil {
				t.Error(err)
			}
			return kilobytes << 10
		}
	}
	t.Error("the system does not say how much memory the process has")
	return 0
}

func metrics(t *testing.T, c *lab.Caddy) []byte {
	t.Helper()
	response, err := http.Get("http://" + c.Admin() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// unknown returns how many exchanges have ended without an outcome.
func unknown(t *testing.T, c *lab.Caddy) int {
	t.Helper()
	total := 0
	for _, found := range exchanges.FindAllSubmatch(metrics(t, c), -1) {
		count, err := strconv.ParseFloat(string(found[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		total += int(count)
	}
	return total
}

var exchanges = regexp.MustCompile(`(?m)^caddy_webhooks_exchanges_total\{[^}]*outcome="unknown"[^}]*\} (\S+)$`)

func TestStrangers(t *testing.T) {
	a, r := lab.NewAPI(t), lab.NewReceiver(t)
	for i := range victims {
		path := fmt.Sprintf("/items/victim%d", i)
		a.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "PUT", path, strings.NewReader(`{"secret":"s"}`)))
	}
	var stolen atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen.Add(1) }))
	defer thief.Close()
	c := lab.New(t, binary, a, r, filepath.Join(t.TempDir(), "queue"))
	c.Global = "free_space 300MiB 200MiB 1MiB"
	c.Resource = "notify url request:notificationUrl"
	c.Environment = []string{"GOMEMLIMIT=" + memoryLimit}
	c.Start(t)

	ctx, cancel := context.WithTimeout(t.Context(), *lasts)
	defer cancel()
	taken := watched(ctx, t, c.PID())
	load := lab.NewLoad(ctx, c, 4, 30, 200)
	sent := strangers(ctx, c.Site(), thief.URL)
	load.Stop()
	most := <-taken
	if most > maxMemory {
		t.Errorf("the process took %d MiB", most>>20)
	}
	// What ordinary clients did is announced, however much of the strangers' is
	// still to be looked at.
	c.Eventually(t, "ordinary changes are announced", 2*time.Minute, func() error {
		for _, missing := range r.Missing(a) {
			if !strings.Contains(missing, "victim") {
				return errors.New(missing)
			}
		}
		return nil
	})
	if load.Failed.Load() > 0 {
		t.Errorf("an ordinary request failed: %s", load.FirstFailure())
	}
	for i := range victims {
		if got := r.Got(fmt.Sprintf("/items/victim%d", i)); got > 0 {
			t.Errorf("%d events announce that nothing happened to victim%d", got, i)
		}
	}
	if got := stolen.Load(); got > 0 {
		t.Errorf("a stranger's receiver got %d deliveries", got)
	}
	status, problems, err := c.Health()
	if err != nil || status != http.StatusOK {
		t.Errorf("health is %d, %s, %v", status, problems, err)
	}
	var records struct {
		Items []any `json:"items"`
	}
	if err := c.Ask("/webhooks/unresolved?limit=1000", &records); err != nil || len(records.Items) > 250 {
		t.Errorf("%d unresolved records, %v", len(records.Items), err)
	}
	if got := unknown(t, c); got < 100 {
		t.Errorf("%d requests have come through without an outcome: this was no attack", got)
	}
	t.Logf("%d attacks, %d of unknown outcome, %d ordinary requests, %d deliveries, %d records, at most %d MiB, %d MiB now",
		sent, unknown(t, c), load.Requests.Load(), r.Total(), len(records.Items), most>>20, memory(t, c.PID(), "RssAnon:")>>20)
	c.Stop(t)
}
