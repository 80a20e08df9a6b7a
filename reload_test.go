// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/caddyserver/caddy/v2"
)

// A hundred configurations come and go under load. No change is lost, and when
// the last one is gone, so are all goroutines and all files.
func TestManyReloads(t *testing.T) {
	const reloads = 40
	s := newStage(t)
	told := &sync.Map{}
	s.receiver.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		told.Store(r.Header.Get("Webhook-Object"), true)
	})
	variant := func(i int) string {
		global := []string{"", "durability process", "retention 2h 1GiB", "free_space 1GiB 512MiB 128MiB"}[i%4]
		return s.config(global, []string{"", "resource users"}[i%2])
	}
	cycle := func(reloads int, during func()) {
		s.mustLoad(variant(0))
		during()
		for i := range reloads {
			s.mustLoad(variant(i + 1))
		}
	}
	// What Caddy starts once and for all is not ours.
	cycle(4, func() { s.put("/items/first", `{"id":"first"}`) })
	eventually(t, "the first event", func() bool { _, ok := told.Load("items/first"); return ok })
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections()
	before, files := goleak.IgnoreCurrent(), openFiles(t)

	stop := make(chan struct{})
	var clients sync.WaitGroup
	written := make([]int, 4)
	cycle(reloads, func() {
		for client := range written {
			clients.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					s.put(fmt.Sprintf("/items/%d-%d", client, written[client]), fmt.Sprintf(`{"id":"%d-%d"}`, client, written[client]))
					written[client]++
				}
			})
		}
	})
	close(stop)
	clients.Wait()
	total := 0
	for client, n := range written {
		total += n
		for i := range n {
			object := fmt.Sprintf("items/%d-%d", client, i)
			eventually(t, object+" is told of", func() bool { _, ok := told.Load(object); return ok })
		}
	}
	t.Logf("%d changes under %d reloads", total, reloads)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections()
	// Caddy's proxies keep connections for a while, for whoever comes next.
	s.api.CloseClientConnections()
	s.receiver.CloseClientConnections()
	// Goroutines that are just ending get their time from goleak.
	// Caddy's admin endpoint outlives its configuration.
	if err := goleak.Find(before, goleak.IgnoreAnyFunction("github.com/caddyserver/caddy/v2.replaceLocalAdminServer.func2")); err != nil {
		t.Errorf("goroutines are left: %v", err)
	}
	eventually(t, "all files are closed", func() bool {
		left := openFiles(t)
		for name := range files {
			delete(left, name)
		}
		for name := range left {
			if strings.Contains(name, s.dir) {
				t.Logf("open: %s", name)
				return false
			}
		}
		return true
	})
}

// openFiles returns what this process has open.
func openFiles(t *testing.T) map[string]bool {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("this system does not say which files are open: %v", err)
	}
	open := make(map[string]bool)
	for _, entry := range entries {
		if name, err := os.Readlink("/proc/self/fd/" + entry.Name()); err == nil {
			open[name] = true
		}
	}
	return open
}

// The queue's directory is the queue: a reload that names it by a link, or by
// another way, goes on with the queue that is open, and a link that leads
// elsewhere names another.
func TestReloadByAnotherWay(t *testing.T) {
	s := newStage(t)
	root := t.TempDir()
	link, volume := filepath.Join(root, "link"), filepath.Join(root, "volume")
	s.dir = filepath.Join(volume, "queue")
	if err := os.Mkdir(volume, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(volume, link); err != nil {
		t.Skip(err)
	}
	s.mustLoad(s.config("", ""))
	open := running(t).Queue()
	for i, dir := range []string{link + "/queue", volume + "/../link/queue", volume + "/queue/"} {
		s.dir = dir
		s.mustLoad(s.config("", fmt.Sprintf("max_shows %d", i+3)))
		if running(t).Queue() != open {
			t.Errorf("%s is another queue", dir)
		}
	}
	s.put("/items/1", `{"id":"1"}`)
	s.expect("items.updated items/1")
	// The link now leads elsewhere.
	other := filepath.Join(root, "other")
	if err := errors.Join(os.Mkdir(other, 0o700), os.Remove(link), os.Symlink(other, link)); err != nil {
		t.Fatal(err)
	}
	s.dir = link + "/queue"
	s.mustLoad(s.config("", ""))
	if running(t).Queue() == open {
		t.Error("the link still names the old queue")
	}
}
