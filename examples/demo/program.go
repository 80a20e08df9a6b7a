// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// program is a program that the demonstration starts.
type program struct {
	name string
	path string
	args []string
	// env is the whole environment; the demonstration's own if nil.
	env []string
	// ports are the addresses on which the program will listen.
	ports []string
	// ready are the URLs that answer once the program is ready.
	ready []string
}

// checkPorts returns an error that names the first port that another program
// uses.
func (p program) checkPorts(ctx context.Context) error {
	for _, address := range p.ports {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err == nil {
			err = listener.Close()
		}
		if err != nil {
			_, port, _ := net.SplitHostPort(address)
			return fmt.Errorf("%s cannot listen on port %s: end the program that uses it, then try again (%w)", p.name, port, err)
		}
	}
	return nil
}

// process is a running program.
type process struct {
	program
	command *exec.Cmd
	// done is closed when the program has ended; err then says how.
	done chan struct{}
	err  error
}

// start starts the program. Its output goes to out. A goroutine waits for its
// end and closes done.
func (p program) start(out io.Writer) (*process, error) {
	//nolint:noctx,gosec // it is ended by stop, which gives it time to finish; the programs are our own
	command := exec.Command(p.path, p.args...)
	command.Stdout = out
	command.Stderr = out
	command.Env = p.env
	command.SysProcAttr = ownGroup()
	// A grandchild that keeps the output open must not keep us from ending.
	command.WaitDelay = time.Second
	if err := command.Start(); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%s is not there: `make run` builds it (%w)", p.name, err)
		}
		return nil, fmt.Errorf("%s does not start: %w", p.name, err)
	}
	started := &process{program: p, command: command, done: make(chan struct{})}
	go func() {
		defer close(started.done)
		started.err = command.Wait()
	}()
	return started, nil
}

// stop asks the process to end, and kills it after the timeout. It returns when
// the process has ended, and may be called again.
func (p *process) stop(timeout time.Duration) {
	// If there are no such signals, or the process has ended already, killing
	// remains, and does no harm.
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		_ = p.command.Process.Kill()
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		_ = p.command.Process.Kill()
		<-p.done
	}
}

// death describes an unexpected end.
func (p *process) death() error {
	if p.err != nil {
		return fmt.Errorf("%s has died: %w", p.name, p.err)
	}
	return fmt.Errorf("%s has ended", p.name)
}
