// SPDX-License-Identifier: Apache-2.0

//go:build unix

// Package cluster starts a PostgreSQL for tests, of the programs that the system has: with a
// socket and no port, in a directory that is removed, and gone with the tests.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrMissing is returned where the system has no PostgreSQL.
var ErrMissing = errors.New("PostgreSQL is not installed; install it (Debian: apt-get install postgresql)")

// Cluster is a server that is running.
type Cluster struct {
	dir  string
	bin  string
	args []string
	as   *syscall.Credential
	done chan ending
	kill func()
}

// ending is how a server has ended.
type ending struct{ err error }

// startTimeout limits how long making and starting a cluster takes.
const startTimeout = 2 * time.Minute

// Start makes a cluster and starts it. The settings are added to those of the tests.
func Start(settings ...string) (*Cluster, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, done: make(chan ending, 1)}
	if err := c.start(bin, settings); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return c, nil
}

// programs finds the directory of initdb and postgres, the newest first.
func programs() (string, error) {
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	slices.SortFunc(dirs, func(a, b string) int { return versionOf(b) - versionOf(a) })
	if found, err := exec.LookPath("initdb"); err == nil {
		if found, err = filepath.EvalSymlinks(found); err == nil {
			dirs = append(dirs, filepath.Dir(found))
		}
	}
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			return dir, nil
		}
	}
	return "", ErrMissing
}

func versionOf(dir string) int {
	version, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	return version
}

func (c *Cluster) start(bin string, settings []string) error {
	as, err := c.another()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	data := filepath.Join(c.dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "webhooks", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C") //nolint:gosec // the system's program
	initdb.SysProcAttr = attributes(as)
	initdb.Dir = c.dir
	if said, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, said)
	}
	args := []string{"-D", data, "-k", c.dir, "-F", "-c", "listen_addresses=", "-c", "jit=off", "-c", "shared_buffers=64MB", "-c", "log_min_messages=fatal"}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	c.bin, c.args, c.as = bin, args, as
	return c.launch(ctx)
}

func (c *Cluster) launch(ctx context.Context) error {
	started := make(chan error, 1)
	go c.run(started)
	if err := <-started; err != nil {
		return err
	}
	return c.await(ctx)
}

// Crash ends the server at once, as a power cut would that the disk survives.
func (c *Cluster) Crash() {
	c.kill()
	<-c.done
}

// Again starts a server that has crashed.
func (c *Cluster) Again() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	return c.launch(ctx)
}

// run runs the server on a thread of its own: the system ends the server with that thread, and
// so with the tests however they end.
func (c *Cluster) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	server := exec.Command(filepath.Join(c.bin, "postgres"), c.args...) //nolint:gosec,noctx // the system's program, until it is told to end
	server.SysProcAttr = attributes(c.as)
	server.Dir = c.dir
	server.Stderr = os.Stderr
	err := server.Start()
	if err == nil {
		c.kill = func() { _ = server.Process.Signal(syscall.SIGQUIT) }
	}
	started <- err
	if err == nil {
		c.done <- ending{server.Wait()}
	}
}

// another returns whom the server runs as, who must not be root, and gives them the directory.
func (c *Cluster) another() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(found.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(found.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		if err := os.Chown(c.dir, int(uid), int(gid)); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("the server does not run as root, and there is no user postgres or nobody to run it as")
}

// await waits until the server answers.
func (c *Cluster) await(ctx context.Context) error {
	for {
		conn, err := pgx.Connect(ctx, c.DSN("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case ended := <-c.done:
			return fmt.Errorf("the server has ended: %w", ended.err)
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// DSN says how a database of the cluster is reached.
func (c *Cluster) DSN(database string) string {
	return "host=" + c.dir + " user=webhooks dbname=" + database
}

// Stop ends the server at once, and removes what it leaves.
func (c *Cluster) Stop() error {
	c.Crash()
	return os.RemoveAll(c.dir)
}
