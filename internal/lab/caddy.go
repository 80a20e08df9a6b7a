// SPDX-License-Identifier: Apache-2.0

// Package lab runs a real Caddy between an API and a receiver, for tests that
// take its disk away.
package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/internal/freeport"
)

// binaryVariable names a Caddy that is built already, so that not each of these
// packages builds its own; "make test" sets it.
const binaryVariable = "CADDY_WEBHOOKS_BINARY"

// build returns a Caddy with this module: the one that the environment names, or
// one that it builds into a directory.
func build(dir string) (string, error) {
	if binary := os.Getenv(binaryVariable); binary != "" {
		return binary, nil
	}
	binary := filepath.Join(dir, "caddy")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "go", "build", "-tags", "nobadger,nomysql,nopgx", "-o", binary, "./cmd/caddy")
	command.Dir = "../.." // the tests may be those of another module
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building Caddy: %w\n%s", err, output)
	}
	return binary, nil
}

// Main is the TestMain of a package that tests a Caddy: it puts the path of one into
// binary, and runs the tests, and after them what ends what they have shared.
func Main(m *testing.M, binary *string, after ...func()) {
	flag.Parse()
	os.Exit(run(m, binary, after))
}

func run(m *testing.M, binary *string, after []func()) int {
	defer func() {
		for _, end := range after {
			end()
		}
	}()
	dir, err := os.MkdirTemp("", "caddy-webhooks-lab")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if *binary, err = build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// Caddy is an installation: a configuration, a queue, a log, and at most one
// process at a time.
type Caddy struct {
	// Queue is the queue's directory; Global is inserted into the global
	// webhooks block, Resource into that of the items.
	Queue, Global, Resource string
	// Config replaces the whole Caddyfile, if it is not empty. In it, $ADMIN, $SITE
	// and $QUEUE stand for the addresses and the directory.
	Config string
	// Environment is added to that of the process.
	Environment []string
	// Descriptors limits the file descriptors of the process; 0 for no limit.
	Descriptors int

	binary      string
	api         *API
	receiver    *Receiver
	site, admin string
	home        string
	client      *http.Client

	command *exec.Cmd
	exited  chan struct{}
	// stuck is true if the process was given up before it had started.
	stuck bool
	log   lockedBuffer
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// New returns an installation that has not started.
func New(t testing.TB, binary string, a *API, r *Receiver, queue string) *Caddy {
	t.Helper()
	c := &Caddy{
		Queue: queue, binary: binary, api: a, receiver: r,
		site: freeport.Address(t), admin: freeport.Address(t), home: t.TempDir(),
		client: &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
	t.Cleanup(func() {
		c.Kill()
		c.client.CloseIdleConnections()
		if t.Failed() {
			t.Logf("the end of Caddy's log:\n%s", c.Tail())
		}
	})
	return c
}

func (c *Caddy) caddyfile() string {
	if c.Config != "" {
		return strings.NewReplacer("$ADMIN", c.admin, "$SITE", c.site, "$QUEUE", c.Queue).Replace(c.Config)
	}
	return fmt.Sprintf(`{
	admin %s
	auto_https off
	persist_config off
	webhooks {
		queue badger %s
		endpoint receiver %s {
			secret whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
			retry %s
		}
		egress {
			allow http
			allow network 127.0.0.0/8
		}
		%s
	}
}
http://%s {
	bind 127.0.0.1
	webhooks {
		upstream %s
		upstream_timeout 1s
		resource items {
			version version
			%s
		}
	}
	reverse_proxy %s
}
`, c.admin, c.Queue, c.receiver.server.URL, strings.Repeat("100ms ", 100), c.Global, c.site, c.api.server.Listener.Addr(), c.Resource, c.api.server.Listener.Addr())
}

// Start starts Caddy and waits until the API can be reached through it.
func (c *Caddy) Start(t testing.TB) {
	t.Helper()
	file := c.WriteConfig(t)
	c.command = exec.CommandContext(context.Background(), c.binary, "run", "--config", file, "--adapter", "caddyfile")
	if c.Descriptors > 0 {
		limited := fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, c.Descriptors)
		c.command = exec.CommandContext(context.Background(), "/bin/sh", append([]string{"-c", limited, c.binary}, c.command.Args[1:]...)...)
	}
	c.command.Dir = c.home
	c.command.Env = append(append(os.Environ(), "HOME="+c.home, "XDG_DATA_HOME="+c.home, "XDG_CONFIG_HOME="+c.home), c.Environment...)
	c.command.Stdout, c.command.Stderr = &c.log, &c.log
	if err := c.command.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	c.exited = exited
	command := c.command
	go func() {
		_ = command.Wait()
		close(exited)
	}()
	t.Cleanup(func() { c.dump(t) })
	started := false
	defer func() { c.stuck = !started }()
	c.Eventually(t, "Caddy starts", 2*time.Minute, func() error {
		if !c.Alive() {
			t.Fatalf("Caddy has ended:\n%s", c.Tail())
		}
		response, err := c.client.Get("http://" + c.site + "/ready")
		if err != nil {
			return err
		}
		if err := response.Body.Close(); err != nil {
			return err
		}
		// The site is there before the last app has started, and the API is
		// served before a queue that takes long is open.
		status, problems, err := c.Health()
		if err == nil && (status == http.StatusNotFound || strings.Contains(problems, "it is being opened")) {
			err = errors.New(problems)
		}
		return err
	})
	started = true
}

// WriteConfig writes the configuration, and returns the path of its file.
func (c *Caddy) WriteConfig(t testing.TB) string {
	t.Helper()
	file := filepath.Join(c.home, "Caddyfile")
	if err := os.WriteFile(file, []byte(c.caddyfile()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// dump shows what a process does that does not start: what it hangs in cannot be
// seen from outside. Caddy takes SIGQUIT for an order to quit, and the runtime SIGABRT for one
// to print all goroutines.
func (c *Caddy) dump(t testing.TB) {
	if !c.stuck || !c.Alive() {
		return
	}
	c.stuck = false
	before := len(c.log.String())
	if err := c.command.Process.Signal(syscall.SIGABRT); err != nil {
		t.Log(err)
		return
	}
	<-c.exited
	t.Logf("what Caddy was doing:\n%s", c.log.String()[before:])
}

// Alive reports whether the process lives.
func (c *Caddy) Alive() bool {
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

// Kill kills the process as a crash would. It may be dead already.
func (c *Caddy) Kill() {
	if c.command == nil {
		return
	}
	_ = c.command.Process.Kill()
	<-c.exited
	c.client.CloseIdleConnections()
}

// Stop ends the process as an operator would.
func (c *Caddy) Stop(t testing.TB) {
	t.Helper()
	if err := c.command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.exited:
	case <-time.After(2 * time.Minute):
		t.Errorf("Caddy does not stop\n%s", c.Tail())
		c.Kill()
	}
	c.client.CloseIdleConnections()
}

// Tail returns the end of the log.
func (c *Caddy) Tail() string {
	log := uninteresting.ReplaceAllString(c.log.String(), "")
	return log[max(0, len(log)-6000):]
}

var uninteresting = regexp.MustCompile(`(?m)^\{"level":"(info|debug)"[^\n]*\n`)

// Site returns the address of the API behind Caddy.
func (c *Caddy) Site() string { return c.site }

// PID returns the number of the process.
func (c *Caddy) PID() int { return c.command.Process.Pid }

// Admin returns the address of the admin endpoint.
func (c *Caddy) Admin() string { return c.admin }

// Log returns the whole log.
func (c *Caddy) Log() string { return c.log.String() }

// Do sends a request to the API through Caddy.
func (c *Caddy) Do(ctx context.Context, method, path, body string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+c.site+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// Health requests the health check.
func (c *Caddy) Health() (status int, problems string, err error) {
	response, err := c.client.Get("http://" + c.admin + "/webhooks/health")
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// Ask requests a view from the admin API. What is no success is an error.
func (c *Caddy) Ask(view string, into any) error {
	response, err := c.client.Get("http://" + c.admin + view)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		text, err := io.ReadAll(response.Body)
		return errors.Join(fmt.Errorf("%s: %s: %s", view, response.Status, text), err)
	}
	return json.NewDecoder(response.Body).Decode(into)
}

// Queued requests the state of the queue.
func (c *Caddy) Queued() (open bool, answer map[string]any, err error) {
	if err := c.Ask("/webhooks/queue", &answer); err != nil {
		return false, nil, err
	}
	open, _ = answer["open"].(bool)
	return open, answer, nil
}

// Run runs a command of the binary.
func (c *Caddy) Run(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, c.binary, args...)
	command.Env = append(os.Environ(), "HOME="+c.home, "XDG_DATA_HOME="+c.home, "XDG_CONFIG_HOME="+c.home)
	output, err := command.CombinedOutput()
	return string(output), err
}

// Eventually waits until a condition returns no error.
func (c *Caddy) Eventually(t testing.TB, what string, timeout time.Duration, condition func() error) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s: %v\n%s", what, timeout, err, c.Tail())
		}
		time.Sleep(20 * time.Millisecond) // polling another process
	}
}

// Told waits until the receiver has the state of every object.
func (c *Caddy) Told(t testing.TB, timeout time.Duration) {
	t.Helper()
	c.Eventually(t, "all changes are told of", timeout, func() error {
		missing := c.receiver.Missing(c.api)
		if len(missing) == 0 {
			return nil
		}
		return fmt.Errorf("%d objects are not: %s", len(missing), strings.Join(missing[:min(3, len(missing))], "; "))
	})
}
