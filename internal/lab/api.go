// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// API is a legacy API that stores the objects it is sent.
type API struct {
	server *httptest.Server

	mu      sync.Mutex
	shows   map[string]string // by path
	gone    map[string]bool
	version int
	hidden  bool
}

// NewAPI starts an API.
func NewAPI(t testing.TB) *API {
	t.Helper()
	a := &API{shows: make(map[string]string), gone: make(map[string]bool)}
	a.server = httptest.NewServer(a)
	t.Cleanup(a.server.Close)
	return a
}

// Hide makes the API answer reads with 503, or stop doing so.
func (a *API) Hide(hidden bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hidden = hidden
}

// ServeHTTP implements http.Handler: PUT makes or changes an object, DELETE
// deletes it, GET shows it.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	status := http.StatusOK
	switch r.Method {
	case http.MethodGet:
		if a.hidden {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
	case http.MethodPut:
		// 201 proves that the object is there: without it, the delete of one that
		// was never read proves nothing, and is not told.
		if _, there := a.shows[r.URL.Path]; !there {
			status = http.StatusCreated
		}
		a.version++
		a.shows[r.URL.Path] = fmt.Sprintf(`{"id":%q,"version":%d,"body":%s}`, r.URL.Path[len("/items/"):], a.version, body)
		delete(a.gone, r.URL.Path)
	case http.MethodDelete:
		if _, there := a.shows[r.URL.Path]; there {
			// Of an object that never was, a delete that was broken off changes
			// nothing that anybody could be told.
			a.gone[r.URL.Path] = true
		}
		delete(a.shows, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	show, ok := a.shows[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, show)
}

// Receiver receives the deliveries.
type Receiver struct {
	server *httptest.Server

	mu     sync.Mutex
	last   map[string]string // the newest payload of each object
	kinds  map[string]string // the newest event's type of each object
	counts map[string]int
	newest map[string]int
	total  int
	ids    map[string]bool
	again  int
}

// NewReceiver starts a receiver.
func NewReceiver(t testing.TB) *Receiver {
	t.Helper()
	r := &Receiver{last: make(map[string]string), kinds: make(map[string]string), counts: make(map[string]int), newest: make(map[string]int), ids: make(map[string]bool)}
	r.server = httptest.NewServer(r)
	t.Cleanup(r.server.Close)
	return r
}

// ServeHTTP implements http.Handler.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	payload, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	var show struct {
		Version int `json:"version"`
	}
	_ = json.Unmarshal(payload, &show) // a delete has none
	object := "/" + request.Header.Get("Webhook-Object")
	kind := request.Header.Get("Webhook-Event")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total++
	if id := request.Header.Get("Webhook-Id"); r.ids[id] {
		r.again++
	} else {
		r.ids[id] = true
	}
	r.counts[object]++
	// A repeated delivery may come after a newer one.
	if deleted := strings.HasSuffix(kind, ".deleted"); deleted || show.Version >= r.newest[object] {
		r.last[object], r.kinds[object] = string(payload), kind
		r.newest[object] = max(show.Version, r.newest[object])
	}
	w.WriteHeader(http.StatusNoContent)
}

// Again counts repeated deliveries.
func (r *Receiver) Again() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.again
}

// Got counts the deliveries of one object, as /items/1.
func (r *Receiver) Got(object string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[object]
}

// Total counts all deliveries.
func (r *Receiver) Total() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.total
}

// Missing returns the objects whose last event does not have the API's current
// state.
func (r *Receiver) Missing(a *API) (missing []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	for object, show := range a.shows {
		if r.last[object] != show {
			missing = append(missing, fmt.Sprintf("%s shows %s, and %q (%s) was told", object, clip(show), clip(r.last[object]), r.kinds[object]))
		}
	}
	for object := range a.gone {
		if !strings.HasSuffix(r.kinds[object], ".deleted") {
			missing = append(missing, fmt.Sprintf("%s is gone, and %q was told", object, r.kinds[object]))
		}
	}
	return missing
}

func clip(text string) string {
	return text[:min(len(text), 80)]
}

// Address returns the API's own address.
func (a *API) Address() string { return a.server.Listener.Addr().String() }
