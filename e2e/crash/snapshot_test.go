// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// held is what a receiver holds of an object, as it takes events: a newer one replaces
// what it has, and so does a snapshot with the same number.
type held struct {
	sequence uint64
	deleted  bool
	body     string
}

// hold returns what an endpoint's receiver holds in the end, and problems with what it
// got: that something older came after something newer, or an object twice in a snapshot.
func (i *inbox) hold(s *subscription) (objects map[string]held, snapshots int, problems []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	objects = make(map[string]held)
	seen, told := make(map[string]bool), make(map[string]bool)
	for _, p := range i.got[s.path] {
		id, object, op := p.header.Get("Webhook-Id"), p.header.Get("Webhook-Object"), p.header.Get("Webhook-Op")
		if err := s.verify.Verify(p.body, p.header); err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", id, err))
		}
		if seen[id] {
			continue
		}
		seen[id] = true
		sequence, err := strconv.ParseUint(p.header.Get("Webhook-Sequence"), 10, 64)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", id, err))
		}
		has := objects[object]
		if sequence < has.sequence || sequence == has.sequence && op != "snapshot" {
			problems = append(problems, fmt.Sprintf("%s %d of %s came after number %d", op, sequence, object, has.sequence))
		}
		if op == "snapshot" {
			snapshots++
			if told[object] {
				problems = append(problems, object+" came twice in the snapshot")
			}
			told[object] = true
		}
		objects[object] = held{sequence: sequence, deleted: op == "delete", body: string(p.body)}
	}
	return objects, snapshots, problems
}

// got counts what came to an endpoint.
func (i *inbox) count(s *subscription) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.got[s.path])
}

// TestKillDuringSnapshot kills the process while an endpoint begins with a snapshot, and
// its objects change and are deleted. In the end its receiver holds what the API has: no
// object is missing, none is told twice, and nothing older came after something newer.
func TestKillDuringSnapshot(t *testing.T) {
	for name, resource := range map[string]string{"kept": "tenant owner\nkeep show", "read": "tenant owner"} {
		t.Run(name, func(t *testing.T) { killDuringSnapshot(t, resource) })
	}
}

func killDuringSnapshot(t *testing.T, resource string) {
	const objects, arrivals = 150, 20
	r := newIdle(t)
	site := freePort(t)
	r.caddy.Resource, r.caddy.Handler = resource, "look_rate 1000"
	r.caddy.Global = "subscribers {\n verify off\n}"
	r.caddy.Sites = fmt.Sprintf("http://%s {\n bind 127.0.0.1\n webhooks_api\n}", site)
	r.caddy.configure(t, r.caddy.caddyfile(t))
	box := newInbox(t)
	p := r.caddy.start(t, "")
	r.caddy.ready(t, p)
	change := func(ctx context.Context, n int, method, value string) {
		r.load.send(ctx, method, fmt.Sprintf("/items/s%d", n), value, 0)
	}
	for n := range objects {
		change(t.Context(), n, http.MethodPut, "first")
	}
	r.caddy.drained(t)

	s := &subscriber{load: r.load, api: "http://" + site, key: r.caddy.makeKey(t)}
	made := &subscription{path: "/snapshot"}
	status, answer := s.ask(t.Context(), http.MethodPost, "/endpoints", fmt.Sprintf(`{"url":"%s%s","events":["items.*"],"begin":"snapshot"}`, box.server.URL, made.path))
	var told struct{ ID, Secret string }
	if err := json.Unmarshal(answer, &told); status != http.StatusCreated || err != nil {
		t.Fatalf("%d %s: %v", status, answer, err)
	}
	made.id = told.ID
	var err error
	if made.verify, err = standardwebhooks.NewWebhook(told.Secret); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var changing sync.WaitGroup
	for client := range 2 {
		changing.Go(func() {
			for n := client; ctx.Err() == nil; n += 7 {
				method, value := http.MethodPut, fmt.Sprint("v", n)
				if n%10 == 0 {
					method = http.MethodDelete
				}
				change(context.WithoutCancel(ctx), n%objects, method, value)
				pause(ctx, 20*time.Millisecond)
			}
		})
	}
	defer changing.Wait()
	defer cancel()

	var progress struct {
		State    string
		Done, Of int
		Complete bool
	}
	over := func(ctx context.Context) bool {
		status, answer := s.ask(ctx, http.MethodGet, "/endpoints/"+made.id+"/snapshot", "")
		return status == http.StatusOK && json.Unmarshal(answer, &progress) == nil && progress.State == "done"
	}
	kills, during := 0, 0
	for done := false; !done || kills < 2; kills++ {
		before := box.count(made)
		err := eventually(within(t, 2*time.Minute), 20*time.Millisecond, func() error {
			if done = over(t.Context()); !done && box.count(made) < before+arrivals {
				return errors.New("little has come")
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%v: %+v\n%s", err, progress, r.caddy.tail())
		}
		if !done {
			during++
		}
		p.kill()
		p = r.caddy.start(t, "")
		r.caddy.ready(t, p)
	}
	cancel()
	changing.Wait()
	p.kill()
	p = r.caddy.start(t, "")
	r.caddy.ready(t, p)
	if err := r.api.settle(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	r.caddy.drained(t)
	r.caddy.stop(t, p)

	got, snapshots, problems := box.hold(made)
	for _, problem := range problems {
		t.Error(problem)
	}
	for n := range objects {
		object := fmt.Sprintf("items/s%d", n)
		has, known := got[object]
		switch show := r.api.show(object); {
		case show == nil && known && !has.deleted:
			t.Errorf("%s is not there any more, and the receiver holds %s", object, has.body)
		case show != nil && (!known || has.deleted || strings.TrimSpace(has.body) != string(show)):
			t.Errorf("%s is %s, and the receiver holds %+v", object, show, has)
		}
	}
	t.Logf("kills %d, %d of them during the snapshot, %d objects told by it, %+v", kills, during, snapshots, progress)
	if during < 2 || snapshots < objects/4 {
		t.Error("this was no test")
	}
}
