// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/internal/failpoint"
	"github.com/caddy-webhooks/caddy-webhooks/internal/freeport"
)

// caddy is an installation: a configuration, a queue, a log, and at most one
// process at a time.
type caddy struct {
	settings
	binary     string
	home       string
	configFile string
	log        *os.File
}

func newCaddy(t *testing.T, a *api, r *receiver, upstreamTimeout time.Duration) *caddy {
	t.Helper()
	home := t.TempDir()
	log, err := os.OpenFile(filepath.Join(home, "log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	c := &caddy{
		settings: settings{
			Admin: freeport.Address(t), Site: freeport.Address(t), Queue: filepath.Join(home, "queue"),
			API: a.address(), Receiver: r.server.URL + "/hooks", Secret: secret,
			UpstreamTimeout: upstreamTimeout, Updated: "items.updated", AttemptTimeout: 30 * time.Second,
		},
		binary: raced, home: home, configFile: filepath.Join(home, "Caddyfile"), log: log,
	}
	c.configure(t, c.caddyfile(t))
	t.Cleanup(func() {
		log.Close()
		c.examine(t)
	})
	return c
}

// configure writes the configuration of the next start.
func (c *caddy) configure(t *testing.T, caddyfile string) {
	t.Helper()
	if err := os.WriteFile(c.configFile, []byte(caddyfile), 0o600); err != nil {
		t.Fatal(err)
	}
}

// command returns a command of the binary that touches nothing but its home.
func (c *caddy) command(ctx context.Context, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, c.binary, arguments...) //nolint:gosec // the binary is what this package has built
	command.Dir = c.home
	command.Env = append(os.Environ(),
		"HOME="+c.home, "XDG_DATA_HOME="+c.home, "XDG_CONFIG_HOME="+c.home,
		// The race detector delays each exit by a second by default.
		"GORACE=atexit_sleep_ms=0")
	return command
}

// process is a Caddy process.
type process struct {
	command *exec.Cmd
	exited  chan struct{} // closed when it has
	err     error         // of the exit
}

// start starts Caddy. With a failpoint, it kills itself there.
func (c *caddy) start(t *testing.T, point string) *process {
	t.Helper()
	return c.startHeld(t, point, "")
}

// startHeld starts Caddy, which opens its queue only when a file is gone.
func (c *caddy) startHeld(t *testing.T, point, file string) *process {
	t.Helper()
	p := &process{
		command: c.command(context.WithoutCancel(t.Context()), "run", "--config", c.configFile, "--adapter", "caddyfile"),
		exited:  make(chan struct{}),
	}
	p.command.Env = append(p.command.Env, failpoint.Variable+"="+point)
	if file != "" {
		p.command.Env = append(p.command.Env, failpoint.Hold+"=queue.opening="+file)
	}
	p.command.Stdout, p.command.Stderr = c.log, c.log
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.command.Wait()
		close(p.exited)
	}()
	t.Cleanup(p.kill)
	return p
}

// ready waits until a process works.
func (c *caddy) ready(t *testing.T, p *process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := eventually(ctx, 5*time.Millisecond, func() error {
		select {
		case <-p.exited:
			cancel()
			return fmt.Errorf("the process has ended: %w", p.err)
		default:
		}
		if _, err := c.status(ctx); err != nil {
			return err
		}
		return c.answers(ctx)
	})
	if err != nil {
		t.Fatalf("starting Caddy: %v\n%s", err, c.tail())
	}
}

// answers returns an error if nobody listens at the API's address.
func (c *caddy) answers(ctx context.Context) error {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", c.Site)
	if err == nil {
		connection.Close()
	}
	return err
}

// kill kills a process as a crash would, and waits until it is gone. It may be
// dead already.
func (p *process) kill() {
	_ = p.command.Process.Kill() // it may be dead already
	<-p.exited
}

// stop ends a process as an operator would.
func (c *caddy) stop(t *testing.T, p *process) {
	t.Helper()
	if err := p.command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.exited:
		if p.err != nil {
			t.Errorf("Caddy did not stop well: %v\n%s", p.err, c.tail())
		}
	case <-time.After(patience):
		t.Errorf("Caddy does not stop\n%s", c.tail())
	}
}

// tail returns the end of the log, without unimportant lines.
func (c *caddy) tail() string {
	log, err := os.ReadFile(c.log.Name())
	if err != nil {
		return err.Error()
	}
	log = passing.ReplaceAll(log, nil)
	return string(log[max(0, len(log)-4<<10):])
}

var passing = regexp.MustCompile(`(?m)^\{"level":"info"[^\n]*\n|^[^\n]*is not formatted; run[^\n]*\n|^[^\n]*skipped because it requires TLS[^\n]*\n`)

// alarms must never be in a log.
var alarms = regexp.MustCompile(`(?m)^(WARNING: DATA RACE|panic: |fatal error: ).*|"level":"(error|panic|fatal)","ts":[0-9.]+,"logger":"(http[.]handlers[.])?webhooks[^\n]*`)

// slow matches the messages of a queue that is too slow for its callers. Each
// is a gap that the module reports.
var slow = regexp.MustCompile(`noting an intent|resolving an intent`)

// examine looks for alarms in the log of all processes.
func (c *caddy) examine(t *testing.T) {
	t.Helper()
	log, err := os.ReadFile(c.log.Name())
	if err != nil {
		t.Error(err)
	}
	var others []string
	gaps := 0
	for _, alarm := range alarms.FindAll(log, -1) {
		if slow.Match(alarm) {
			gaps++
			continue
		}
		line := string(alarm)
		if strings.Contains(line, "DATA RACE") || strings.HasPrefix(line, "panic") || strings.HasPrefix(line, "fatal") {
			from := bytes.Index(log, alarm)
			line = string(log[from:min(len(log), from+4<<10)])
		}
		others = append(others, line)
	}
	if gaps > 0 {
		t.Logf("the queue was too slow for %d exchanges, which leaves gaps; is the disk overloaded?", gaps)
	}
	for _, line := range others[:min(3, len(others))] {
		t.Errorf("in Caddy's log: %s", line)
	}
	if t.Failed() {
		t.Logf("the end of Caddy's log:\n%s", c.tail())
	}
}
