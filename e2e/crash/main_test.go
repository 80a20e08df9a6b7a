// SPDX-License-Identifier: Apache-2.0

// Package crash checks the promises on a real process that is killed, started
// again and reloaded while clients are at work. The API of the tests keeps an
// oracle: the log of everything that it committed. In the end, the receiver's
// deliveries are compared with it.
package crash

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/internal/testflags"
)

// raced and plain are Caddy with this module and the failpoints; raced has the
// race detector, too.
var raced, plain string

var (
	seed  = flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of what the tests do at random")
	kills = flag.Int("kills", 12, "how often TestKill kills the process")
	// With the detector, a start takes four times as long, and each failpoint
	// needs two or three.
	raceFailpoints = flag.Bool("race-failpoints", false, "let the processes that die at failpoints have the race detector, too, and those of each flow die at all of them")
)

func TestMain(m *testing.M) {
	testflags.AtOnce(6)
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "caddy-webhooks-crash")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	raced, plain = filepath.Join(dir, "raced"), filepath.Join(dir, "plain")
	if err := errors.Join(build(plain, false), build(raced, hasCompiler())); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// build builds a Caddy, with the race detector or without. The detector needs a
// C compiler.
func build(target string, race bool) error {
	const tags = "failpoints,nobadger,nomysql,nopgx"
	arguments := []string{"build", "-tags", tags, "-o", target}
	environment := append(os.Environ(), "CGO_ENABLED=0")
	if race {
		arguments = append(arguments, "-race")
		environment = append(os.Environ(), "CGO_ENABLED=1")
	}
	// Nothing else limits a build that hangs.
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "go", append(arguments, "../../cmd/caddy")...) //nolint:gosec // the arguments are all from here
	command.Env = environment
	if output, err := command.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("building Caddy: %w", err), errors.New(string(output)))
	}
	return nil
}

func hasCompiler() bool {
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "cc"
	}
	_, err := exec.LookPath(compiler)
	return err == nil
}
