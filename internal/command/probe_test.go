// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
)

// Environment variables of a child process of this test: which part it plays,
// and in which directory.
const (
	partVariable  = "TEST_PART"
	stageVariable = "TEST_STAGE"
)

func TestMain(m *testing.M) {
	if part := os.Getenv(partVariable); part != "" {
		fmt.Fprintln(os.Stderr, play(part, os.Getenv(stageVariable)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// play plays the part of a child process: "caddy PART" opens a queue and has it
// probed by a process that plays PART, a "probe" that never ends by itself, or a
// "deaf probe" that does not notice either that its Caddy is gone.
func play(part, stage string) error {
	if kind, ok := strings.CutPrefix(part, "caddy "); ok {
		_, err := badger.Open(badger.Options{Dir: stage, Space: queue.Space{Reserve: 1}, Probe: func(_ string, lock *os.File) error {
			return runProbe(context.Background(), actor(kind, stage), lock)
		}})
		return err
	}
	if part == "probe" {
		go endWith(os.Stdin)
	}
	name := filepath.Join(stage, "probing")
	if err := os.WriteFile(name+".new", strconv.AppendInt(nil, int64(os.Getpid()), 10), 0o600); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return err
	}
	for {
		time.Sleep(time.Hour)
	}
}

// actor returns a command that runs this test as a child process with a part.
func actor(part, stage string) *exec.Cmd {
	command := exec.Command(os.Args[0]) //nolint:gosec // this test
	command.Env = append(os.Environ(), partVariable+"="+part, stageVariable+"="+stage)
	return command
}

// A Caddy that is killed while it has its queue probed leaves no probe behind
// that works on the queue beside the next Caddy: the probe ends, too, and until it
// has, nobody else can open the queue.
func TestProbeEndsWithCaddy(t *testing.T) {
	for _, kind := range []string{"probe", "deaf probe"} {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			// A Caddy that died while it opened the queue has left this file.
			if err := os.WriteFile(filepath.Join(dir, "opening"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			caddy := actor("caddy "+kind, dir)
			if err := caddy.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = caddy.Process.Kill() })
			probe := probing(t, dir)
			t.Cleanup(func() { _ = probe.Kill() })
			if err := caddy.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = caddy.Wait() // it was killed

			options := badger.Options{Dir: dir, Space: queue.Space{Reserve: 1}}
			if kind == "deaf probe" {
				if _, err := badger.Open(options); !errors.Is(err, queue.ErrInUse) {
					t.Fatalf("beside a probe: %v, want ErrInUse", err)
				}
				if err := probe.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			store, err := badger.Open(options)
			for deadline := time.Now().Add(time.Minute); errors.Is(err, queue.ErrInUse) && time.Now().Before(deadline); {
				store, err = badger.Open(options)
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// probing waits until a queue is probed, and returns the process that does it.
func probing(t *testing.T, dir string) *os.Process {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		text, err := os.ReadFile(filepath.Join(dir, "probing"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		number, err := strconv.Atoi(string(text))
		if err != nil {
			t.Fatal(err)
		}
		probe, err := os.FindProcess(number)
		if err != nil {
			t.Fatal(err)
		}
		return probe
	}
	t.Fatal("nobody probes the queue")
	return nil
}

// What a probe has died of is reported in one line, and a probe that could not be
// made says nothing about the queue.
func TestProbeReports(t *testing.T) {
	lock, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lock.Close() })
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tc := range map[string]struct {
		ctx     context.Context
		command *exec.Cmd
		unknown bool
		want    string
	}{
		"lives":       {t.Context(), exec.Command("sh", "-c", "echo well"), false, ""},
		"panics":      {t.Context(), exec.Command("sh", "-c", "echo starting; echo 'panic: out of range'; echo; echo 'goroutine 1'; echo 'at x.go:1'; exit 2"), false, "exit status 2: panic: out of range"},
		"says why":    {t.Context(), exec.Command("sh", "-c", "echo starting; echo 'the table is bad'; exit 1"), false, "exit status 1: the table is bad"},
		"killed":      {t.Context(), exec.Command("sh", "-c", "kill -9 $$"), false, "signal: killed"},
		"not there":   {t.Context(), &exec.Cmd{Path: filepath.Join(t.TempDir(), "none")}, true, "no such file"},
		"no time":     {ended, exec.CommandContext(ended, "sh", "-c", "exit 0"), true, "canceled"},
		"not in time": {ended, exec.Command("sh", "-c", "exit 1"), true, "canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			err := runProbe(tc.ctx, tc.command, lock)
			if tc.want == "" && err == nil {
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) || errors.Is(err, badger.ErrNotProbed) != tc.unknown {
				t.Errorf("got %v", err)
			}
		})
	}
}
