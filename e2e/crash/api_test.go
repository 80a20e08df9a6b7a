// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/internal/promises"
)

// holdHeader makes the API hold a request until the test releases it.
const holdHeader = "X-Hold"

// maxLate is the longest time from the answer until the API commits. It is well
// below the upstream_timeout in Caddy's configuration.
const maxLate = time.Second

// api is a legacy API. Its clients choose the ids of objects that they PUT and
// receive the ids of objects that they POST.
type api struct {
	server *httptest.Server
	// rough is whether it makes trouble.
	rough bool

	mu      sync.Mutex
	random  *rand.Rand
	version int64
	shows   map[string][]byte
	oracle  []promises.Change
	holds   map[string]*hold

	// busy counts requests under way and commits that follow their answers.
	busy int
}

// hold is a request that waits to be released.
type hold struct {
	arrived, release chan struct{}
}

func newAPI(t *testing.T, stream uint64, rough bool) *api {
	t.Helper()
	a := &api{
		rough:  rough,
		random: rand.New(rand.NewPCG(*seed, stream)),
		shows:  make(map[string][]byte),
		holds:  make(map[string]*hold),
	}
	a.server = httptest.NewServer(a)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := a.settle(ctx); err != nil {
			t.Error(err)
		}
		a.server.Close()
	})
	return a
}

func (a *api) address() string {
	return a.server.Listener.Addr().String()
}

// hold makes requests with this name in their holdHeader wait.
func (a *api) hold(name string) *hold {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := &hold{arrived: make(chan struct{}), release: make(chan struct{})}
	a.holds[name] = h
	return h
}

// settle waits until nothing is under way any more.
func (a *api) settle(ctx context.Context) error {
	return eventually(ctx, 10*time.Millisecond, func() error {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.busy > 0 {
			return fmt.Errorf("the API is still busy with %d requests", a.busy)
		}
		return nil
	})
}

// work adds to the count of work under way.
func (a *api) work(change int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.busy += change
}

// changes returns the oracle, in the order of the commits.
func (a *api) changes() []promises.Change {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.oracle)
}

// show returns the answer to a GET of the object, nil if it does not exist.
func (a *api) show(object string) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.shows[object]
}

// write is a request to change something.
type write struct {
	method, resource, id, value string
}

// ServeHTTP implements http.Handler.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	resource, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if r.Method == http.MethodGet {
		a.serveShow(w, resource+"/"+id)
		return
	}
	// A request that began here ends here, whatever happens to its sender:
	// legacy APIs do so.
	a.work(1)
	defer a.work(-1)
	var body struct {
		Value string `json:"value"`
	}
	if r.Method != http.MethodDelete {
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
	}
	a.wait(r.Header.Get(holdHeader))
	how, delay := a.draw()
	pause(context.Background(), delay)
	a.end(w, how, write{r.Method, resource, id, body.Value})
}

func (a *api) serveShow(w http.ResponseWriter, object string) {
	show, trouble, delay := a.drawShow(object)
	pause(context.Background(), delay)
	switch {
	case trouble:
		http.Error(w, "not now", http.StatusInternalServerError)
	case show == nil:
		http.Error(w, "no such object", http.StatusNotFound)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Write(show)
	}
}

func (a *api) drawShow(object string) (show []byte, trouble bool, delay time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rough {
		trouble = a.random.IntN(30) == 0
		delay = time.Duration(a.random.IntN(3000)) * time.Microsecond
	}
	return a.shows[object], trouble, delay
}

// wait waits if the client requested it.
func (a *api) wait(name string) {
	a.mu.Lock()
	h := a.holds[name]
	delete(a.holds, name)
	a.mu.Unlock()
	if h != nil {
		close(h.arrived)
		<-h.release
	}
}

// advance takes the next version: a time, as most APIs have it, so that a Show
// proves that its object was changed since a request began.
func (a *api) advance() {
	a.version = max(a.version+1, time.Now().UnixMicro())
}

// commit executes a request.
func (a *api) commit(w write) (status int, show []byte, id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	minted := w.method == http.MethodPost
	if minted {
		w.id = "new-" + strconv.Itoa(len(a.oracle)+1)
	}
	object := w.resource + "/" + w.id
	before := a.shows[object]
	status = http.StatusOK
	switch {
	case before == nil && (w.method == http.MethodPatch || w.method == http.MethodDelete):
		return http.StatusNotFound, nil, w.id
	case before == nil:
		status = http.StatusCreated
	case w.method == http.MethodDelete:
		a.advance()
		delete(a.shows, object)
		a.oracle = append(a.oracle, promises.Change{Object: object})
		return http.StatusNoContent, nil, w.id
	case w.method == http.MethodPatch && strings.Contains(string(before), fmt.Sprintf("%q", w.value)):
		return http.StatusOK, before, w.id // nothing is different
	}
	a.advance()
	show = fmt.Appendf(nil, `{"id":%q,"owner":"acme","version":%d,"value":%q}`, w.id, a.version, w.value)
	a.shows[object] = show
	a.oracle = append(a.oracle, promises.Change{Object: object, Show: show, Minted: minted})
	return status, show, w.id
}
