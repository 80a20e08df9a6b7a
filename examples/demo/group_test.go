// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// roleVariable makes the test's own binary act as one of the programs.
const roleVariable = "DEMO_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "":
		os.Exit(m.Run())
	case "good": // runs until it gets a signal
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGTERM)
		fmt.Println("up")
		<-asked
		fmt.Println("down")
	case "stubborn": // does not end
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("up")
		<-make(chan struct{})
	case "dying":
		fmt.Println("up")
		os.Exit(3)
	case "leaving":
		fmt.Println("up")
	}
}

// screen is a group's output; tests read it meanwhile.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(text)
}

func (s *screen) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Split(strings.TrimSuffix(s.text.String(), "\n"), "\n")
}

// actor returns a program that acts in a role. It is ready once it has printed
// "up".
func actor(name, role string) program {
	return program{
		name: name,
		path: os.Args[0],
		// The race detector would delay the end of each program by a second.
		env:   append(os.Environ(), roleVariable+"="+role, "GORACE=atexit_sleep_ms=0"),
		ready: []string{line(name, "up")},
	}
}

// line is a line that a program prints, as the screen shows it.
func line(name, text string) string {
	return fmt.Sprintf("%-10s| %s", name, text)
}

func newGroup(stages ...[]program) (*group, *screen) {
	out := new(screen)
	return &group{
		stages: stages,
		out:    &prefixer{out: out},
		probe: func(_ context.Context, url string) error {
			if slices.Contains(out.lines(), url) {
				return nil
			}
			return errors.New("no answer")
		},
		startTimeout: time.Minute,
		stopTimeout:  time.Minute,
	}, out
}

func TestGroupEndsInReverseOrder(t *testing.T) {
	g, out := newGroup([]program{actor("api", "good")}, []program{actor("caddy", "good")})
	ctx, cancel := context.WithCancel(t.Context())
	var whenReady []string
	if err := g.run(ctx, func() {
		whenReady = out.lines()
		cancel()
	}); err != nil {
		t.Errorf("error %v", err)
	}
	if want := []string{line("api", "up"), line("caddy", "up")}; !slices.Equal(whenReady, want) {
		t.Errorf("when ready, the screen shows %q, want %q", whenReady, want)
	}
	want := []string{line("api", "up"), line("caddy", "up"), line("caddy", "down"), line("api", "down")}
	if got := out.lines(); !slices.Equal(got, want) {
		t.Errorf("the screen shows %q, want %q", got, want)
	}
	g.stop() // once more does no harm
}

func TestGroupEndsWhenOneDies(t *testing.T) {
	for role, want := range map[string]string{
		"dying":   "receiver has died: exit status 3",
		"leaving": "receiver has ended",
	} {
		t.Run(role, func(t *testing.T) {
			g, out := newGroup([]program{actor("api", "good")}, []program{actor("receiver", role)})
			err := g.run(t.Context(), func() {})
			if err == nil || err.Error() != want {
				t.Errorf("error %v, want %q", err, want)
			}
			if got := out.lines(); !slices.Contains(got, line("api", "down")) {
				t.Errorf("the other program has not ended: %q", got)
			}
		})
	}
}

func TestGroupEndsWhenOneIsNeverReady(t *testing.T) {
	mute := actor("receiver", "good")
	mute.ready = []string{"never"}

	t.Run("too late", func(t *testing.T) {
		g, out := newGroup([]program{actor("api", "good")}, []program{mute})
		// How long programs take to start is the machine's: only the mute one is timed.
		probe := g.probe
		g.probe = func(ctx context.Context, url string) error {
			err := probe(ctx, url)
			if err == nil {
				g.startTimeout = 100 * time.Millisecond
			}
			return err
		}
		err := g.run(t.Context(), func() { t.Error("ready was called") })
		if err == nil || !strings.Contains(err.Error(), "receiver is not ready") {
			t.Errorf("error %v, want one that names the receiver", err)
		}
		if got := out.lines(); !slices.Contains(got, line("api", "down")) {
			t.Errorf("the other program still runs: %q", got)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		g, _ := newGroup([]program{mute})
		ctx, cancel := context.WithCancel(t.Context())
		g.probe = func(context.Context, string) error {
			cancel()
			return errors.New("no answer")
		}
		if err := g.run(ctx, func() { t.Error("ready was called") }); err != nil {
			t.Errorf("error %v, want none, as it was told to end", err)
		}
	})
	t.Run("dead first", func(t *testing.T) {
		dead := actor("receiver", "dying")
		dead.ready = mute.ready
		g, _ := newGroup([]program{dead})
		err := g.run(t.Context(), func() { t.Error("ready was called") })
		if err == nil || !strings.Contains(err.Error(), "receiver has died") {
			t.Errorf("error %v, want one that says that the receiver has died", err)
		}
	})
}

func TestGroupForcesTheStubborn(t *testing.T) {
	g, _ := newGroup([]program{actor("api", "stubborn")})
	g.stopTimeout = time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	if err := g.run(ctx, cancel); err != nil {
		t.Errorf("error %v", err)
	}
}

func TestGroupNamesATakenPort(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	p := actor("caddy", "good")
	p.ports = []string{taken.Addr().String()}
	g, out := newGroup([]program{actor("api", "good")}, []program{p})
	err = g.run(t.Context(), func() { t.Error("ready was called") })

	_, port, _ := net.SplitHostPort(taken.Addr().String())
	if err == nil || !strings.Contains(err.Error(), "caddy cannot listen on port "+port+":") {
		t.Errorf("error %v, want one that names caddy and port %s", err, port)
	}
	if got := out.lines(); !slices.Equal(got, []string{""}) {
		t.Errorf("something was started: %q", got)
	}
}

func TestGroupNamesAMissingProgram(t *testing.T) {
	g, _ := newGroup([]program{{name: "caddy", path: "no-such-program"}}, nil)
	err := g.run(t.Context(), func() { t.Error("ready was called") })
	if err == nil || !strings.Contains(err.Error(), "caddy") {
		t.Errorf("error %v, want one that names caddy", err)
	}
}

func TestPrefixer(t *testing.T) {
	out := new(screen)
	p := &prefixer{out: out}
	a, b := p.named("a"), p.named("b")
	for _, step := range []struct {
		to   string
		text string
	}{{"a", "one\ntw"}, {"b", "B\n"}, {"a", "o\n\nthr"}, {"b", ""}, {"a", "ee"}} {
		w := a
		if step.to == "b" {
			w = b
		}
		if n, err := fmt.Fprint(w, step.text); n != len(step.text) || err != nil {
			t.Errorf("Write(%q) = %d, %v", step.text, n, err)
		}
	}
	p.flush()
	p.flush()
	want := []string{line("a", "one"), line("b", "B"), line("a", "two"), line("a", ""), line("a", "three")}
	if got := out.lines(); !slices.Equal(got, want) {
		t.Errorf("the screen shows %q, want %q", got, want)
	}
}
