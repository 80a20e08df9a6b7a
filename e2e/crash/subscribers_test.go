// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/caddy-webhooks/caddy-webhooks/internal/freeport"
)

// subscriber makes, changes and deletes endpoints of its own, one after the other, and
// notes what each must get and must not get. It believes only what it was answered.
type subscriber struct {
	number int
	load   *load
	api    string // the URL of the subscribers' API
	key    string

	mu           sync.Mutex
	made         []*subscription
	acknowledged int
}

// acknowledgedBy counts the endpoints of subscribers.
func acknowledgedBy(subscribers []*subscriber) (sum int) {
	for _, s := range subscribers {
		s.mu.Lock()
		sum += s.acknowledged
		s.mu.Unlock()
	}
	return sum
}

// subscription is an endpoint whose creation was acknowledged.
type subscription struct {
	path   string // of its URL
	id     string
	verify *standardwebhooks.Webhook
	// must and never are objects, as items/7, of which events must come, or never.
	must, never []string
}

// inbox keeps what subscribers' endpoints get.
type inbox struct {
	server *httptest.Server

	mu  sync.Mutex
	got map[string][]posted // by path
}

type posted struct {
	header http.Header
	body   []byte
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	i := &inbox{got: make(map[string][]posted)}
	i.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the sender was killed
		}
		i.mu.Lock()
		i.got[r.URL.Path] = append(i.got[r.URL.Path], posted{r.Header, body})
		i.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(i.server.Close)
	return i
}

// objects returns the objects that an endpoint got events of, and problems with them.
func (i *inbox) objects(s *subscription) (objects map[string]bool, problems []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	objects = make(map[string]bool)
	for _, p := range i.got[s.path] {
		if p.header.Get("Webhook-Op") == "test" {
			continue // its secret was not known yet
		}
		if err := s.verify.Verify(p.body, p.header); err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", s.id, err))
		}
		objects[p.header.Get("Webhook-Object")] = true
	}
	return objects, problems
}

// check compares what an endpoint got with what it had to get, and returns how many
// objects were compared.
func (i *inbox) check(t *testing.T, s *subscription) int {
	t.Helper()
	got, problems := i.objects(s)
	for _, problem := range problems {
		t.Error(problem)
	}
	for _, object := range s.must {
		if !got[object] {
			t.Errorf("%s was acknowledged and got nothing of %s", s.id, object)
		}
	}
	for _, object := range s.never {
		if got[object] {
			t.Errorf("%s got %s, which it must not get any more", s.id, object)
		}
	}
	return len(s.must) + len(s.never)
}

// ask sends a request to the subscribers' API. Status 0 means that nobody knows what
// came of it.
func (s *subscriber) ask(ctx context.Context, method, path, body string) (status int, answer []byte) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, s.api+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, nil
	}
	request.Header.Set("Authorization", "Bearer "+s.key)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := s.load.client.Do(request)
	if err != nil {
		return 0, nil
	}
	defer response.Body.Close()
	if answer, err = io.ReadAll(response.Body); err != nil {
		return 0, nil
	}
	return response.StatusCode, answer
}

// run makes endpoints until the context ends.
func (s *subscriber) run(ctx context.Context, inbox string) {
	for ctx.Err() == nil {
		if !s.subscribe(ctx, inbox) {
			pause(ctx, 20*time.Millisecond) // the process is down
		}
	}
}

// change changes an object that nothing else changes, and returns its name if the API
// has confirmed that.
func (s *subscriber) change(ctx context.Context, number, n int) (object string, confirmed bool) {
	object = fmt.Sprintf("items/of-%d-%d-%d", s.number, number, n)
	r := s.load.send(ctx, http.MethodPut, "/"+object, "v", 0)
	return object, r.succeeded()
}

// subscribe makes one endpoint, and reports whether it was acknowledged.
func (s *subscriber) subscribe(ctx context.Context, inbox string) bool {
	s.mu.Lock()
	number := len(s.made)
	made := &subscription{path: fmt.Sprintf("/%d/%d", s.number, number)}
	s.made = append(s.made, made)
	s.mu.Unlock()
	status, answer := s.ask(ctx, http.MethodPost, "/endpoints", fmt.Sprintf(`{"url":"%s%s","events":["items.*"]}`, inbox, made.path))
	var told struct{ ID, Secret string }
	if status != http.StatusCreated || json.Unmarshal(answer, &told) != nil {
		return false
	}
	verify, err := standardwebhooks.NewWebhook(told.Secret)
	if err != nil {
		return false
	}
	s.mu.Lock()
	made.id, made.verify = told.ID, verify
	s.acknowledged++
	s.mu.Unlock()
	if object, ok := s.change(ctx, number, 1); ok {
		made.must = append(made.must, object)
	}
	path := "/endpoints/" + made.id
	switch number % 4 {
	case 1:
		// It asks for that no more. What was changed before may be found later.
		made.must = nil
		if status, _ := s.ask(ctx, http.MethodPatch, path, `{"events":["users.*"]}`); status == http.StatusOK {
			if object, ok := s.change(ctx, number, 2); ok {
				made.never = append(made.never, object)
			}
		}
	case 2:
		made.must = nil
		if status, _ := s.ask(ctx, http.MethodDelete, path, ""); status == http.StatusNoContent {
			if object, ok := s.change(ctx, number, 2); ok {
				made.never = append(made.never, object)
			}
		}
	case 3:
		// What its filter leaves out.
		if status, _ := s.ask(ctx, http.MethodPatch, path, fmt.Sprintf(`{"filter":"event.id != 'of-%d-%d-2'"}`, s.number, number)); status == http.StatusOK {
			if object, ok := s.change(ctx, number, 2); ok {
				made.never = append(made.never, object)
			}
			if object, ok := s.change(ctx, number, 3); ok {
				made.must = append(made.must, object)
			}
		}
	}
	return true
}

// TestKillWhileSubscribing kills the process while subscribers make, change and delete
// endpoints. Whoever was told that it is done gets every event of what is changed
// afterwards, and none that must not come.
func TestKillWhileSubscribing(t *testing.T) {
	t.Parallel()
	r := newRough(t)
	site := freeport.Address(t)
	r.caddy.Resource = "tenant owner"
	r.caddy.Global = "subscribers {\n limit 100000\n verify off\n}"
	r.caddy.Sites = fmt.Sprintf("http://%s {\n bind 127.0.0.1\n webhooks_api\n}", site)
	r.caddy.configure(t, r.caddy.caddyfile(t))
	box := newInbox(t)

	p := r.caddy.start(t, "")
	r.caddy.ready(t, p)
	key := r.caddy.makeKey(t)
	ctx, cancel := context.WithCancel(t.Context())
	subscribers := make([]*subscriber, 3)
	var working sync.WaitGroup
	for i := range subscribers {
		s := &subscriber{number: i, load: r.load, api: "http://" + site, key: key}
		subscribers[i] = s
		working.Go(func() { s.run(ctx, box.server.URL) })
	}
	defer working.Wait()
	defer cancel()
	lives := max(*kills/4, 2)
	for range lives {
		before := acknowledgedBy(subscribers)
		err := eventually(within(t, patience), 5*time.Millisecond, func() error {
			if got := acknowledgedBy(subscribers) - before; got < 6 {
				return fmt.Errorf("%d endpoints were acknowledged within a life", got)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		pause(t.Context(), time.Duration(r.random.IntN(300))*time.Millisecond)
		p.kill()
		p = r.caddy.start(t, "")
		r.caddy.ready(t, p)
	}
	cancel()
	working.Wait()
	r.cease()
	p.kill()
	v := r.judge(t)
	acknowledged, events := 0, 0
	for _, s := range subscribers {
		for _, made := range s.made {
			if made.id == "" {
				continue
			}
			acknowledged++
			events += box.check(t, made)
		}
	}
	t.Logf("kills %d, %d endpoints were acknowledged, %d events of them compared, %s", lives, acknowledged, events, v)
	if acknowledged < 4*lives || events < 2*lives {
		t.Error("this was no test")
	}
}
