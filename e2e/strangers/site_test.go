// SPDX-License-Identifier: Apache-2.0

//go:build linux

package strangers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
)

// arrival is a delivery, or another request that came.
type arrival struct {
	method, path, body string
	header             http.Header
}

// inbox is a server that remembers what it got. Before answering with 204 it calls
// answer, if there is one; that may answer instead.
type inbox struct {
	*httptest.Server

	answer func(w http.ResponseWriter, r *http.Request) (done bool)

	mu  sync.Mutex
	all []arrival
}

func newInbox(t *testing.T, answer func(w http.ResponseWriter, r *http.Request) bool) *inbox {
	i := &inbox{answer: answer}
	i.Server = httptest.NewServer(i)
	t.Cleanup(i.Close)
	return i
}

func (i *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	i.mu.Lock()
	i.all = append(i.all, arrival{r.Method, r.URL.Path, string(body), r.Header.Clone()})
	i.mu.Unlock()
	if i.answer == nil || !i.answer(w, r) {
		w.WriteHeader(http.StatusNoContent)
	}
}

// got returns what came to a path, or below it.
func (i *inbox) got(path string) (got []arrival) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, a := range i.all {
		if strings.HasPrefix(a.path, path) {
			got = append(got, a)
		}
	}
	return got
}

// events returns the events of an object that came to a path, as "items.updated".
func (i *inbox) events(path, object string) (types []string) {
	for _, a := range i.got(path) {
		if a.header.Get("Webhook-Object") == object {
			types = append(types, a.header.Get("Webhook-Event"))
		}
	}
	return types
}

// site is a Caddy between an API and an inbox, which has an endpoint for all events at
// /all.
type site struct {
	*lab.Caddy

	inbox *inbox
}

// parts are the varying parts of a site's configuration: global options, and what stands
// in the global webhooks block, and in the site's.
type parts struct{ options, global, rules string }

func newSite(t *testing.T, api http.Handler, inbox *inbox, p parts) *site {
	t.Helper()
	if inbox == nil {
		inbox = newInbox(t, nil)
	}
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return newSiteOf(t, server.Listener.Addr().String(), inbox, p)
}

func newSiteOf(t *testing.T, api string, inbox *inbox, p parts) *site {
	t.Helper()
	c := lab.New(t, binary, nil, nil, filepath.Join(t.TempDir(), "queue"))
	c.Config = fmt.Sprintf(`{
	admin $ADMIN
	auto_https off
	persist_config off
	%s
	webhooks {
		queue badger $QUEUE
		endpoint all %s/all {
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
http://$SITE {
	bind 127.0.0.1
	webhooks {
		upstream %s
		upstream_timeout 1s
		%s
	}
	reverse_proxy %s
}
`, p.options, inbox.URL, strings.Repeat("200ms ", 50), p.global, api, p.rules, api)
	return &site{c, inbox}
}

// do sends a request through Caddy, which must be answered as stated.
func (s *site) do(t *testing.T, method, path, body string, want int) {
	t.Helper()
	status, err := s.Do(t.Context(), method, path, body)
	if err != nil || status != want {
		t.Fatalf("%s %s: %d, %v, want %d", method, path, status, err, want)
	}
}

// breakOff sends a request whose body is shorter than its header says, and hangs up
// when the API has it.
func (s *site) breakOff(t *testing.T, method, path, body string, header ...string) {
	t.Helper()
	s.hangUp(t, method, path, body, len(body)+100, header...)
}

// hangUp sends a request with a stated length of its body, and hangs up when the API
// has it.
func (s *site) hangUp(t *testing.T, method, path, body string, length int, header ...string) {
	t.Helper()
	before := unknown(t, s.Caddy)
	connection, err := net.Dial("tcp", s.Site())
	if err != nil {
		t.Fatal(err)
	}
	request := strings.Replace(post(method, path, body, length), anyHost, s.Site(), 1)
	for _, line := range header {
		request = strings.Replace(request, "\r\n", "\r\n"+line+"\r\n", 1)
	}
	if _, err := io.WriteString(connection, request); err != nil {
		t.Fatal(err)
	}
	_ = connection.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	_, _ = connection.Read(make([]byte, 1))
	_ = connection.Close()
	s.Eventually(t, "the request counts as broken off", time.Minute, func() error {
		if unknown(t, s.Caddy) <= before {
			return errors.New("it does not")
		}
		return nil
	})
}

// settled waits until the queue has nothing to do.
func (s *site) settled(t *testing.T) {
	t.Helper()
	s.Eventually(t, "the queue comes to rest", 2*time.Minute, func() error {
		var status struct {
			Queue struct {
				OpenIntents       int            `json:"open_intents"`
				Marks             int            `json:"marks"`
				PendingDeliveries map[string]int `json:"pending_deliveries"`
			} `json:"queue"`
		}
		if err := s.Ask("/webhooks/status", &status); err != nil {
			return err
		}
		pending := 0
		for _, n := range status.Queue.PendingDeliveries {
			pending += n
		}
		if status.Queue.OpenIntents+status.Queue.Marks+pending > 0 {
			return fmt.Errorf("%+v", status.Queue)
		}
		return nil
	})
}

// told waits until an object's events at a path are those.
func (s *site) told(t *testing.T, path, object string, want ...string) {
	t.Helper()
	s.Eventually(t, fmt.Sprintf("%s: %s has %v", path, object, want), time.Minute, func() error {
		if got := s.inbox.events(path, object); strings.Join(got, " ") != strings.Join(want, " ") {
			return fmt.Errorf("it has %v", got)
		}
		return nil
	})
}

// records returns the reasons of the exchanges whose objects are not known.
func (s *site) records(t *testing.T) (reasons []string) {
	t.Helper()
	var list struct {
		Items []struct {
			Reason string `json:"reason"`
		} `json:"items"`
	}
	if err := s.Ask("/webhooks/unresolved?limit=1000", &list); err != nil {
		t.Fatal(err)
	}
	for _, item := range list.Items {
		reasons = append(reasons, item.Reason)
	}
	return reasons
}

func (s *site) healthy(t *testing.T) {
	t.Helper()
	if status, problems, err := s.Health(); err != nil || status != http.StatusOK {
		t.Errorf("health is %d, %s, %v", status, problems, err)
	}
}

// objects is an API of objects that are made by POST, changed by PUT and PATCH, and
// shown to whoever asks. A body of {"refused":true} is refused.
type objects struct {
	mu    sync.Mutex
	shows map[string]string // by path
	last  int
	read  []string // paths
	// show makes another Show of the stored body.
	show func(path, body string) string
	// created is what POST answers besides 201 and Location.
	created string
}

func newObjects() *objects { return &objects{shows: make(map[string]string)} }

func (o *objects) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	path := r.URL.Path
	show, known := o.shows[path]
	switch {
	case r.Method != http.MethodGet && strings.Contains(string(body), `"refused":true`):
		w.WriteHeader(http.StatusForbidden)
	case r.Method == http.MethodPost:
		o.last++
		path = fmt.Sprintf("%s/%d", path, o.last)
		o.shows[path] = string(body)
		w.Header().Set("Location", path)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, o.created)
	case r.Method == http.MethodGet && known:
		o.read = append(o.read, path)
		if o.show != nil {
			show = o.show(path, show)
		}
		_, _ = io.WriteString(w, show)
	case !known:
		o.read = append(o.read, path)
		http.NotFound(w, r)
	case r.Method == http.MethodDelete:
		delete(o.shows, path)
		w.WriteHeader(http.StatusNoContent)
	default:
		o.shows[path] = string(body)
		w.WriteHeader(http.StatusNoContent)
	}
}

// put makes or changes an object past Caddy.
func (o *objects) put(path, show string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shows[path] = show
}

// reads counts the Shows that were asked for at a path.
func (o *objects) reads(path string) (count int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, read := range o.read {
		if read == path {
			count++
		}
	}
	return count
}

// command runs the command line against the site.
func (s *site) command(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	output, err := s.Run(ctx, append(append([]string{"webhooks"}, args...), "--address", s.Admin())...)
	if err != nil {
		t.Fatalf("caddy webhooks %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return output
}
