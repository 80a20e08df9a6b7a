// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
	"time"
)

// Addresses of the lab, all on this machine.
const (
	apiAddress    = "127.0.0.1:19000"
	sinkAddress   = "127.0.0.1:19001"
	holeAddress   = "127.0.0.1:19002"
	bareAddress   = "127.0.0.1:19080"
	moduleAddress = "127.0.0.1:19081"

	receiversAddress = "127.0.0.1:19003"
	strangersAddress = "127.0.0.1:19004"

	secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

// lab is what all measures share: a directory and a Caddy binary.
type lab struct {
	dir   string
	caddy string
	slice time.Duration
	// many and few are the crowds of P9, once they are filled.
	many, few *crowd
}

func newLab(caddy string, slice time.Duration) (*lab, error) {
	dir, err := os.MkdirTemp("", "caddy-webhooks-bench-")
	if err != nil {
		return nil, err
	}
	l := &lab{dir: dir, caddy: caddy, slice: slice}
	if l.caddy != "" {
		return l, nil
	}
	l.caddy = filepath.Join(dir, "caddy")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-w -s", "-tags", "nobadger,nomysql,nopgx", "-o", l.caddy, "./cmd/caddy")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, errors.Join(fmt.Errorf("building Caddy (run this from the root of the repository): %w", err), os.RemoveAll(dir))
	}
	return l, nil
}

func (l *lab) close() {
	for _, c := range []*crowd{l.many, l.few} {
		if c != nil {
			c.store.Close()
		}
	}
	os.RemoveAll(l.dir)
}

// process is a running process.
type process struct {
	cmd *exec.Cmd
	log *bytes.Buffer
}

// start starts a command and waits until it listens on an address.
func start(address string, env []string, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...), log: new(bytes.Buffer)}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	// A server that is there already would be measured instead.
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		return nil, fmt.Errorf("something listens on %s already; is another run under way?", address)
	}
	// The servers of this command end with their input, and so with this
	// process.
	if _, err := p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for range 300 {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return p, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.stop()
	return nil, fmt.Errorf("%s does not listen on %s:\n%s", name, address, p.log)
}

func (p *process) stop() {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Signal(os.Interrupt)
	done := make(chan struct{})
	go func() {
		_ = p.cmd.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-done
	}
}

// cpu returns the processor time of a process.
func (p *process) cpu() (time.Duration, error) {
	return cpuOf(p.cmd.Process.Pid)
}

// cpuOf reads the times of a process from proc(5), in ticks of 10 ms.
func cpuOf(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The command's name, in parentheses, may contain anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, errors.New("cannot read the processor time")
	}
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	if err != nil {
		return 0, err
	}
	return time.Duration(user+system) * 10 * time.Millisecond, nil
}

// server runs one of this command's own servers in its own process.
func server(kind, address string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return start(address, nil, self, append([]string{"serve", kind}, args...)...)
}

// bare runs Caddy as a mere proxy.
func (l *lab) bare() (*process, error) {
	return l.run("bare", bareAddress, bareConfig, nil)
}

// module runs Caddy with the module. Shows are read from the given address.
func (l *lab) module(durability, shows string) (*process, error) {
	return l.moduleBeside(0, durability, shows)
}

// moduleBeside is module with more resources, of five rules each, besides the
// measured one.
func (l *lab) moduleBeside(resources int, durability, shows string) (*process, error) {
	return l.moduleAt("module", moduleAddress, resources, durability, shows)
}

// moduleAt is moduleBeside under a name and an address of its own.
func (l *lab) moduleAt(name, address string, resources int, durability, shows string) (*process, error) {
	var text strings.Builder
	for i := range resources {
		fmt.Fprintf(&text, "\t\tresource %[1]s {\n\t\t\tcreate POST /%[1]s\n\t\t\tupdate PUT|PATCH /%[1]s/:id\n"+
			"\t\t\tupdate POST /%[1]s/:id/pay\n\t\t\tupdate * /%[1]s/:id/*\n\t\t\tdelete DELETE /%[1]s/:id\n\t\t}\n", fmt.Sprintf("resource%d", i))
	}
	return l.run(name, address, moduleConfig, map[string]string{
		"Address": address, "Durability": durability, "Shows": shows, "Resources": text.String(),
	})
}

func (l *lab) run(name, address string, config *template.Template, data map[string]string) (*process, error) {
	queue, err := os.MkdirTemp(l.dir, "queue-")
	if err != nil {
		return nil, err
	}
	if data == nil {
		data = make(map[string]string)
	}
	data["Queue"] = queue
	var text bytes.Buffer
	if err := config.Execute(&text, data); err != nil {
		return nil, err
	}
	file := filepath.Join(l.dir, name+".Caddyfile")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		return nil, err
	}
	// Caddy's own files go into a directory "caddy" there, which is no program.
	home := filepath.Join(l.dir, "home")
	env := []string{"XDG_DATA_HOME=" + home, "XDG_CONFIG_HOME=" + home}
	return start(address, env, l.caddy, "run", "--adapter", "caddyfile", "--config", file)
}

const globalOptions = `
	admin off
	persist_config off
	log {
		level ERROR
	}
`

var bareConfig = template.Must(template.New("bare").Parse(`{` + globalOptions + `}
http://` + bareAddress + ` {
	reverse_proxy ` + apiAddress + `
}
`))

var moduleConfig = template.Must(template.New("module").Parse(`{` + globalOptions + `
	webhooks {
		queue badger {{.Queue}}
		durability {{.Durability}}
		endpoint sink http://` + sinkAddress + `/ {
			secret ` + secret + `
		}
		egress {
			allow http
			allow network 127.0.0.0/8
		}
	}
}
http://{{.Address}} {
	webhooks {
		upstream {{.Shows}}
		resource items {
			version items.version
		}
{{.Resources}}	}
	reverse_proxy ` + apiAddress + `
}
`))

// quiet waits until a server has nothing more to do, judging by its processor
// time.
func quiet(p *process) error {
	for range 200 {
		before, err := p.cpu()
		if err != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
		after, err := p.cpu()
		if err != nil {
			return err
		}
		if after-before <= 10*time.Millisecond {
			return nil
		}
	}
	return errors.New("the process does not come to rest")
}
