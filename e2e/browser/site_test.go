// SPDX-License-Identifier: Apache-2.0

package browser

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
)

// config is a site with the pages below a path, whose authentication is a cookie that
// something before them has checked, beside the API for programs.
const config = `{
	admin $ADMIN
	auto_https off
	persist_config off
	webhooks {
		queue badger $QUEUE
		egress {
			allow http
			allow network 127.0.0.0/8
		}
		subscribers {
			type items.created "Something was made"
			type items.updated "Something has changed" {
				schema ` + "`" + `{"type":"object","required":["id"],"properties":{"id":{"type":"string","description":"Which one"},"amount":{"type":"integer"}}}` + "`" + `
				sample ` + "`" + `{"id":"42","amount":7}` + "`" + `
			}
			endpoint {
				secret own
				retry none
				disable_after never
			}
		}
	}
}
$ORIGIN {
	bind 127.0.0.1
	vars role {http.request.cookie.role}
	handle_path /hooks* {
		webhooks_dashboard {
			authorize {http.request.cookie.tenant} {http.request.cookie.name}
			operators {vars.role} operator
			framed_by $FRAMER
		}
	}
	handle_path /closed* {
		webhooks_dashboard {
			authorize {http.request.cookie.tenant}
		}
	}
	handle_path /api/* {
		webhooks_api {
			authorize key
			authorize {http.request.cookie.tenant}
		}
	}
	webhooks {
		upstream $API
		resource items {
			tenant seller
		}
		resource parcels {
			tenant seller
			list GET /parcels *.id
		}
	}
	reverse_proxy $API
}
`

// site is a running Caddy with the pages, the API behind it, and a receiver.
type site struct {
	t      *testing.T
	caddy  *lab.Caddy
	origin string
	// framer is the origin of the one site that may show the pages in a frame.
	framer   *httptest.Server
	receiver *receiver
	api      *objects
	// gateway is the origin of the gateway's own API.
	gateway string
}

// receiver gets deliveries, and answers as it is told.
type receiver struct {
	*httptest.Server

	mu     sync.Mutex
	status int
	answer string
	got    []received
}

// received is what it got.
type received struct {
	path   string
	header http.Header
	body   string
}

// newReceiver starts a receiver that takes everything.
func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusOK, answer: "thanks"}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, received{request.URL.Path, request.Header.Clone(), string(body)})
		w.WriteHeader(r.status)
		_, _ = io.WriteString(w, r.answer)
	}))
	t.Cleanup(r.Close)
	return r
}

// answers sets what it answers from now on.
func (r *receiver) answers(status int, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status, r.answer = status, text
}

// await waits until it has got something.
func (r *receiver) await(t *testing.T, what string, wanted func(received) bool) received {
	t.Helper()
	var found received
	eventually(t, what, func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, one := range r.got {
			if wanted(one) {
				found = one
				return nil
			}
		}
		return fmt.Errorf("it has got %d others", len(r.got))
	})
	return found
}

// objects is a legacy API that keeps what it is sent, by path. It makes parcels, and tells
// nobody which; none can be read while it is down.
type objects struct {
	mu    sync.Mutex
	shows map[string]string
	down  bool
	// held keeps what reads objects waiting.
	held sync.RWMutex
}

// breaks has parcels that cannot be read, or can again.
func (o *objects) breaks(down bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down = down
}

// ServeHTTP implements [http.Handler].
func (o *objects) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if r.Method == http.MethodGet {
		o.held.RLock()
		defer o.held.RUnlock()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.Method == http.MethodPut {
		o.shows[r.URL.Path] = string(body)
	}
	switch {
	case r.Method == http.MethodPost: // a parcel is made, or something searched for
		w.WriteHeader(http.StatusCreated)
		return
	case o.down && r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/parcels"):
		http.Error(w, "closed for <b>stocktaking</b>", http.StatusServiceUnavailable)
		return
	case r.URL.Path == "/parcels":
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "[]")
		return
	}
	show, known := o.shows[r.URL.Path]
	if !known {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, show)
}

// newSite starts one. Its host is localhost, so that browsers treat it as one with HTTPS.
func newSite(t *testing.T) *site {
	t.Helper()
	shared.start(t) // where there is no browser, nothing else is started
	kept := &objects{shows: make(map[string]string)}
	api := httptest.NewServer(kept)
	t.Cleanup(api.Close)
	s := &site{t: t, api: kept, receiver: newReceiver(t), framer: httptest.NewServer(http.HandlerFunc(framing))}
	t.Cleanup(s.framer.Close)
	s.start(strings.NewReplacer("$API", api.Listener.Addr().String(), "$FRAMER", s.framer.URL).Replace(config))
	return s
}

// start starts Caddy with a configuration.
func (s *site) start(config string) {
	s.t.Helper()
	s.caddy = lab.New(s.t, binary, nil, nil, filepath.Join(s.t.TempDir(), "queue"))
	_, port, _ := strings.Cut(s.caddy.Site(), ":")
	s.origin = "http://localhost:" + port
	s.caddy.Config = strings.ReplaceAll(config, "$ORIGIN", s.origin)
	s.caddy.Start(s.t)
}

// ask sends a request as a tenant, which must be answered with success, and reads the
// answer.
func (s *site) ask(tenant, method, path, body string) map[string]any {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.origin+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Cookie", "tenant="+tenant)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		s.t.Fatalf("%s %s %s: %d %s", method, path, body, response.StatusCode, text)
	}
	var answer map[string]any
	_ = json.Unmarshal(text, &answer) // of an object of the API, nothing is asked
	return answer
}

// hook makes a webhook of a tenant's by the API for programs, and returns its id.
func (s *site) hook(tenant, label, events, more string) string {
	s.t.Helper()
	id, _ := s.ask(tenant, http.MethodPost, "/api/endpoints", fmt.Sprintf(`{"label":%q,"url":%q,"events":%s%s}`, label, s.receiver.URL+"/in", events, more))["id"].(string)
	return id
}

// change changes an object of a tenant's, so that an event is made of it.
func (s *site) change(tenant, id, more string) {
	s.t.Helper()
	s.ask(tenant, http.MethodPut, "/items/"+id, fmt.Sprintf(`{"id":%q,"seller":%q%s}`, id, tenant, more))
}

// delivery waits for a delivery of an object to a webhook in a state, and returns its id.
func (s *site) delivery(tenant, hook, object, state string) string {
	s.t.Helper()
	id := ""
	eventually(s.t, "a delivery of "+object+" that is "+state, func() error {
		listed, _ := s.ask(tenant, http.MethodGet, "/api/endpoints/"+hook+"/deliveries?status="+state+"&object="+object, "")["data"].([]any)
		if len(listed) == 0 {
			return errNotYet
		}
		first, _ := listed[0].(map[string]any)
		id, _ = first["id"].(string)
		return nil
	})
	return id
}

// visit opens a tab as a tenant.
func (s *site) visit(t *testing.T, tenant string) *tab {
	t.Helper()
	b := newTab(t, s.origin)
	b.cookie("tenant", tenant)
	b.cookie("name", "mara")
	return b
}

// frame is a page of another site that shows the pages in a frame.
var frame = template.Must(template.New("").Parse(`<!doctype html><html lang="en"><title>another site</title><link rel="icon" href="data:,"><iframe title="x" width="600" height="600" src="{{.}}"></iframe></html>`))

// framing shows what it is asked for: ?of=URL.
func framing(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	_ = frame.Execute(w, r.URL.Query().Get("of"))
}
