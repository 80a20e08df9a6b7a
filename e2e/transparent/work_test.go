// SPDX-License-Identifier: Apache-2.0

package transparent

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// The comparison would prove nothing if the module did nothing: exactly the
// objects that the targets change are read from the API.
func TestModuleIsAtWork(t *testing.T) {
	l := newLab(t)
	for name, both := range l.pairs {
		if name == "reused" {
			continue
		}
		id := strings.ReplaceAll(name, " ", "-")
		body := fmt.Sprintf(`{"id":"%s-created"}`, id)
		for _, at := range []target{
			{"POST", "/others/" + id},
			{"GET", "/items/" + id + "-read"},
			{"POST", "/items"},
			{"PATCH", "/items/" + id + "-updated"},
			{"POST", "/items/" + id + "-acted/on"},
			{"DELETE", "/versioned/" + id + "-deleted"},
		} {
			p := plan{method: at.method, path: at.path}
			l.compare(t, both, p, withLength("201 Created", "", body))
		}
		want := map[string]bool{
			"/items/" + id + "-created": true, "/items/" + id + "-updated": true,
			"/items/" + id + "-acted": true, "/versioned/" + id + "-deleted": true,
		}
		if !both.bare.tls {
			// An API may decline an upgrade and execute the request.
			p := plan{method: "PUT", path: "/items/" + id + "-offered", fields: []string{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"}}
			l.compare(t, both, p, withLength("200 OK", "", body))
			want["/items/"+id+"-offered"] = true
		}
		timeout := time.NewTimer(testTimeout)
		for len(want) > 0 {
			select {
			case path := <-l.api.shows:
				if strings.Contains(path, "read") || strings.Contains(path, "others") {
					t.Errorf("%s: the Show of %s was read", name, path)
				}
				delete(want, path)
			case <-timeout.C:
				t.Fatalf("%s: the Shows of %v were not read", name, want)
			}
		}
		timeout.Stop()
	}
}

// gate authenticates requests before the module sees them. It holds them until
// it is opened.
func gate(t *testing.T) (address string, arrived chan struct{}, open chan struct{}) {
	arrived, open = make(chan struct{}, 100), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-open:
		case <-r.Context().Done():
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), arrived, open
}

// If the queue is closed during a request, before its intent is noted or before
// it is resolved, the client does not notice. A reload without the queue closes
// it while requests of the old configuration are under way.
func TestQueueIsClosed(t *testing.T) {
	for _, late := range []bool{false, true} {
		for _, at := range targets {
			t.Run(fmt.Sprintf("%s %s, noted %v", at.method, at.path, late), func(t *testing.T) {
				testQueueIsClosed(t, at, late)
			})
		}
	}
}

func testQueueIsClosed(t *testing.T, at target, noted bool) {
	free := freeAddresses(t, 4)
	l := &lab{api: startAPI(t), dir: t.TempDir(), dead: free[0]}
	address, arrived, open := gate(t)
	auth := fmt.Sprintf("forward_auth %s {\nuri /\n}", address)
	both := pair{bare: site{addr: free[1]}, watched: site{addr: free[2]}}
	l.load(t, options+both.bare.block("", auth, proxyOnce)+both.watched.block("", auth, module, proxyOnce))
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping Caddy: %v", err)
		}
	})
	if noted {
		close(open)
	}
	reloaded := make(chan struct{})
	api := func(x *exchange) {
		x.read()
		x.write("HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
		x.chunk(created)
		if x.clientHas(len(created)) {
			x.run.move(func(p *position) { p.permitted = true })
			<-reloaded
			x.write("0\r\n\r\n")
		}
	}
	// Both are under way when the queue is closed.
	accounts := make([]chan string, 2)
	for i, s := range []site{both.bare, both.watched} {
		accounts[i] = make(chan string, 1)
		r := l.newRun(api)
		go func() {
			got := l.overHTTP1(s, plan{method: at.method, path: at.path, last: true}, r)
			r.await("the API to end", func(p position) bool { return p.finished })
			observed, stuck := r.account()
			accounts[i] <- fmt.Sprintf("%s\n%s\n%s", got, observed, stuck)
		}()
		<-arrived
		if noted {
			r.await("the API to be within its answer", func(p position) bool { return p.permitted })
		}
	}
	metricsAt := free[3]
	l.load(t, strings.Replace(options, "{dir}/queue", "{dir}/another", 1)+fmt.Sprintf("http://%s {\nmetrics\n}\n", metricsAt))
	before := gaps(t, metricsAt)
	close(reloaded)
	if !noted {
		close(open)
	}
	bare, watched := <-accounts[0], <-accounts[1]
	if bare != watched || !strings.Contains(bare, "end: whole") || strings.Contains(bare, "answered:") {
		t.Errorf("without the module:\n%s\nwith it:\n%s", bare, watched)
	}
	matched := at.method != "GET" && at.path != "/others"
	if changed := gaps(t, metricsAt) != before; changed != matched {
		t.Errorf("gaps were counted: %v; the request is matched: %v", changed, matched)
	}
}

// gaps returns the metrics about gaps.
func gaps(t *testing.T, address string) string {
	t.Helper()
	response, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "caddy_webhooks_gaps_total") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}
