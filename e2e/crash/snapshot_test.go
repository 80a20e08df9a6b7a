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

	"github.com/caddy-webhooks/caddy-webhooks/internal/freeport"
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

// count counts what came to an endpoint.
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
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killDuringSnapshot(t, resource)
		})
	}
}

// beginning is an endpoint that begins with a snapshot of some objects.
type beginning struct {
	*rough
	*subscription
	box     *inbox
	s       *subscriber
	process *process
	// progress is how far the snapshot is.
	progress struct {
		State    string
		Done, Of int
		Complete bool
	}
}

// begin makes objects and then the endpoint, in a process that dies at a point.
func begin(t *testing.T, r *rough, resource, point string, objects int) *beginning {
	t.Helper()
	site := freeport.Address(t)
	r.caddy.Resource, r.caddy.Handler = resource, "look_rate 1000"
	r.caddy.Global = "subscribers {\n verify off\n}"
	r.caddy.Sites = fmt.Sprintf("http://%s {\n bind 127.0.0.1\n webhooks_api\n}", site)
	r.caddy.configure(t, r.caddy.caddyfile(t))
	b := &beginning{rough: r, box: newInbox(t), subscription: &subscription{path: "/snapshot"}}
	b.process = r.caddy.start(t, point)
	r.caddy.ready(t, b.process)
	for n := range objects {
		b.change(t.Context(), n, http.MethodPut, "first")
	}
	r.caddy.drained(t)
	b.s = &subscriber{load: r.load, api: "http://" + site, key: r.caddy.makeKey(t)}
	status, answer := b.s.ask(t.Context(), http.MethodPost, "/endpoints", fmt.Sprintf(`{"url":"%s%s","events":["items.*"],"begin":"snapshot"}`, b.box.server.URL, b.path))
	var told struct{ ID, Secret string }
	if err := json.Unmarshal(answer, &told); status != http.StatusCreated || err != nil {
		t.Fatalf("%d %s: %v", status, answer, err)
	}
	b.id = told.ID
	var err error
	if b.verify, err = standardwebhooks.NewWebhook(told.Secret); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *beginning) change(ctx context.Context, n int, method, value string) {
	b.load.send(ctx, method, fmt.Sprintf("/items/s%d", n), value, 0)
}

// over reports whether the snapshot is done.
func (b *beginning) over(ctx context.Context) bool {
	status, answer := b.s.ask(ctx, http.MethodGet, "/endpoints/"+b.id+"/snapshot", "")
	return status == http.StatusOK && json.Unmarshal(answer, &b.progress) == nil && b.progress.State == "done"
}

// again starts the process again.
func (b *beginning) again(t *testing.T) {
	t.Helper()
	b.process = b.caddy.start(t, "")
	b.caddy.ready(t, b.process)
}

// finish waits until nothing is left to do, and compares what the receiver holds with
// what the API has. It returns how many objects the snapshot told of.
func (b *beginning) finish(t *testing.T, objects int) (snapshots int) {
	t.Helper()
	if err := b.api.settle(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	b.caddy.drained(t)
	b.caddy.stop(t, b.process)
	got, snapshots, problems := b.box.hold(b.subscription)
	for _, problem := range problems {
		t.Error(problem)
	}
	for n := range objects {
		object := fmt.Sprintf("items/s%d", n)
		has, known := got[object]
		switch show := b.api.show(object); {
		case show == nil && known && !has.deleted:
			t.Errorf("%s is not there any more, and the receiver holds %s", object, has.body)
		case show != nil && (!known || has.deleted || strings.TrimSpace(has.body) != string(show)):
			t.Errorf("%s is %s, and the receiver holds %+v", object, show, has)
		}
	}
	return snapshots
}

// TestCrashInSnapshot lets the process die at each step of telling an endpoint of an
// object. The next one goes on with that object or after it, and tells of none twice.
func TestCrashInSnapshot(t *testing.T) {
	for _, point := range []string{"snapshot.read", "snapshot.read:3", "snapshot.introduced", "snapshot.introduced:3"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			const objects = 6
			r := newIdle(t)
			r.api.rough, r.load.rough = false, false
			b := begin(t, r, "tenant owner", point, objects)
			select {
			case <-b.process.exited:
			case <-within(t, patience).Done():
				t.Fatal("the process has not died")
			}
			b.again(t)
			if err := eventually(within(t, patience), 50*time.Millisecond, func() error {
				if !b.over(t.Context()) {
					return errors.New("the snapshot is not done")
				}
				return nil
			}); err != nil {
				t.Fatalf("%v: %+v", err, b.progress)
			}
			if n := b.finish(t, objects); n != objects || b.progress.Done != objects {
				t.Errorf("the snapshot told of %d objects: %+v", n, b.progress)
			}
		})
	}
}

func killDuringSnapshot(t *testing.T, resource string) {
	const objects, arrivals = 150, 40
	b := begin(t, newIdle(t), resource, "", objects)
	ctx, cancel := context.WithCancel(t.Context())
	var changing sync.WaitGroup
	for client := range 2 {
		changing.Go(func() {
			for n := client; ctx.Err() == nil; n += 7 {
				method, value := http.MethodPut, fmt.Sprint("v", n)
				if n%10 == 0 {
					method = http.MethodDelete
				}
				b.change(context.WithoutCancel(ctx), n%objects, method, value)
				pause(ctx, 20*time.Millisecond)
			}
		})
	}
	defer changing.Wait()
	defer cancel()

	kills, during := 0, 0
	for done := false; !done || kills < 2; kills++ {
		before := b.box.count(b.subscription)
		err := eventually(within(t, patience), 20*time.Millisecond, func() error {
			if done = b.over(t.Context()); !done && b.box.count(b.subscription) < before+arrivals {
				return errors.New("little has come")
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%v: %+v\n%s", err, b.progress, b.caddy.tail())
		}
		if !done {
			during++
		}
		b.process.kill()
		b.again(t)
	}
	cancel()
	changing.Wait()
	b.process.kill()
	b.again(t)
	snapshots := b.finish(t, objects)
	t.Logf("kills %d, %d of them during the snapshot, %d objects told by it, %+v", kills, during, snapshots, b.progress)
	if during < 2 || snapshots < objects/10 {
		t.Error("this was no test")
	}
}
