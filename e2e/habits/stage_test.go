// SPDX-License-Identifier: Apache-2.0

//go:build linux

package habits

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
)

// delivery is an event that the receiver got.
type delivery struct{ event, payload string }

// stage is a real Caddy between a fake API and a receiver.
type stage struct {
	*lab.Caddy

	api     *fake
	profile profile

	mu   sync.Mutex
	seen map[string]bool
	got  map[string][]delivery // by object, in the order of arrival
}

func newStage(t *testing.T, p profile) *stage {
	t.Helper()
	s := &stage{api: newFake(t, p.switches), profile: p, seen: make(map[string]bool), got: make(map[string][]delivery)}
	receiver := httptest.NewServer(http.HandlerFunc(s.receive))
	t.Cleanup(receiver.Close)
	s.Caddy = lab.New(t, binary, nil, nil, filepath.Join(t.TempDir(), "queue"))
	_, port, _ := strings.Cut(s.Site(), ":")
	s.Config = strings.NewReplacer(
		"RECEIVER", receiver.URL, "ADDRESS", strings.ReplaceAll(p.address, "PORT", port), "RETRIES", strings.Repeat("200ms ", 50),
		"API", s.api.server.Listener.Addr().String(), "UPSTREAM", p.upstream, "RULES", strings.ReplaceAll(p.rules, "EVERY", p.every), "PROXY", p.proxy,
	).Replace(caddyfile)
	s.Start(t)
	return s
}

const caddyfile = `{
	admin $ADMIN
	auto_https off
	persist_config off
	webhooks {
		queue badger $QUEUE
		endpoint all RECEIVER {
			secret whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
			retry RETRIES
		}
		egress {
			allow http
			allow network 127.0.0.0/8
		}
	}
}
ADDRESS {
	bind 127.0.0.1
	webhooks {
		upstream API {
			UPSTREAM
		}
		upstream_timeout 1s
		look_rate 1000/s
		RULES
	}
	reverse_proxy API {
		PROXY
	}
}
`

func (s *stage) receive(w http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.WriteHeader(http.StatusNoContent)
	s.mu.Lock()
	defer s.mu.Unlock()
	if id := r.Header.Get("Webhook-Id"); !s.seen[id] {
		s.seen[id] = true
		object := r.Header.Get("Webhook-Object")
		s.got[object] = append(s.got[object], delivery{r.Header.Get("Webhook-Event"), string(payload)})
	}
}

// ask is a request of a client.
type ask struct {
	method, target string
	body           string
	header         map[string]string
}

// send sends a request through Caddy, as a client does that follows no redirect.
func (s *stage) send(t *testing.T, a ask) {
	r, err := http.NewRequestWithContext(t.Context(), a.method, "http://"+s.Site()+a.target, strings.NewReader(a.body))
	if err != nil {
		t.Error(err)
		return
	}
	r.Host = apiName
	if s.profile.public != "" {
		r.Host = s.profile.public
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Authorization", credential)
	for name, value := range a.header {
		if value == "" {
			r.Header.Del(name)
			continue
		}
		r.Header.Set(name, value)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Errorf("%s %s: %v", a.method, a.target, err)
		return
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	if response.StatusCode >= 500 {
		t.Errorf("%s %s: %d", a.method, a.target, response.StatusCode)
	}
}

// known waits until all that was there before is known, so that the test begins where
// an owner's day does.
func (s *stage) known(t *testing.T) {
	t.Helper()
	s.Eventually(t, "what was there before is known", testTimeout, func() error {
		s.api.mu.Lock()
		defer s.api.mu.Unlock()
		for id := range s.api.before {
			if s.api.shown[id] == 0 {
				return fmt.Errorf("object %d was not read", id)
			}
		}
		return cmp.Or(s.listed(), s.rests())
	})
}

// listed returns an error until the list is complete: objects that are made before may
// be taken for old ones.
func (s *stage) listed() error {
	var coverage struct {
		Lists []struct {
			Complete time.Time `json:"complete"`
		} `json:"lists"`
	}
	if err := s.Ask("/webhooks/coverage", &coverage); err != nil {
		return err
	}
	for _, list := range coverage.Lists {
		if list.Complete.IsZero() {
			return errors.New("the list is not complete")
		}
	}
	return nil
}

// each makes each request of the profile once, so that no draw decides whether a habit is
// tested.
func (s *stage) each(t *testing.T) {
	t.Helper()
	for i, request := range slices.Concat(s.profile.creates, s.profile.updates, s.profile.others, s.profile.deletes) {
		living := s.api.living()
		s.send(t, request(living[i%len(living)].id, fmt.Sprintf("tür %d", i)))
	}
}

// mix has some clients make random requests.
func (s *stage) mix(t *testing.T, clients, requests int) {
	t.Helper()
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(client), 7))
			for i := range requests {
				s.send(t, s.draw(random, fmt.Sprintf("%d-%d", client, i)))
			}
		})
	}
	all.Wait()
}

// draw returns a random request. Titles differ, so that each state is one of its own.
func (s *stage) draw(random *rand.Rand, name string) ask {
	living := s.api.living()
	title := "tür " + name
	if len(living) == 0 {
		return pick(random, s.profile.creates)(0, title)
	}
	o := living[random.IntN(len(living))]
	switch kind := random.IntN(20); {
	case kind < 6:
		return pick(random, s.profile.creates)(0, title)
	case kind < 12:
		return pick(random, s.profile.updates)(o.id, title)
	case kind < 15:
		return pick(random, s.profile.deletes)(o.id, "")
	case kind == 15:
		return pick(random, s.profile.updates)(o.id, o.title) // changes nothing
	default:
		return pick(random, s.profile.others)(o.id, title)
	}
}

func pick[T any](random *rand.Rand, all []T) T { return all[random.IntN(len(all))] }

// problems compares what was delivered with what the API did.
func (s *stage) problems() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.api.mu.Lock()
	defer s.api.mu.Unlock()
	histories := make(map[string][]state)
	for id, history := range s.api.journal {
		histories[s.profile.key(id)] = history
	}
	for object, got := range s.got {
		if histories[object] == nil {
			all = append(all, fmt.Sprintf("invented: %s of %s, which the API never had", got[0].event, object))
		}
	}
	for object, history := range histories {
		all = append(all, s.problemsOf(object, history)...)
	}
	return all
}

func (s *stage) problemsOf(object string, history []state) (all []string) {
	at, there, got := 0, false, s.got[object]
	if s.api.before[history[0].object.id] {
		at, there = 1, true
	}
	for _, d := range got {
		next := at
		for next < len(history) && !s.tells(d, history[next].object) {
			next++
		}
		if next == len(history) {
			return append(all, fmt.Sprintf("invented: %s of %s, %s, is no state after the one before of %+v", d.event, object, d.payload, history))
		}
		_, kind, _ := strings.Cut(d.event, ".")
		switch now := history[next].object; {
		case now.deleted:
			there = false
		case there && kind != "updated", !there && kind != "created":
			all = append(all, fmt.Sprintf("wrong kind: %s of %s, %s, in %v of %+v", d.event, object, d.payload, got, history))
			there = true
		default:
			there = true
		}
		at = next + 1
	}
	if last := history[len(history)-1].object; at < len(history) && (there || !last.deleted) {
		all = append(all, fmt.Sprintf("lost: %s is %+v, and was told %v", object, last, got))
	}
	return all
}

// tells reports whether a delivery is about a state: its payload is the Show.
func (s *stage) tells(d delivery, o object) bool {
	if strings.HasSuffix(d.event, ".deleted") {
		return o.deleted
	}
	return !o.deleted && d.payload == text(s.api.show(s.api, &o, apiName))
}

// settled waits until all is told and nothing is left to do.
func (s *stage) settled(t *testing.T) {
	t.Helper()
	s.Eventually(t, "all that the API did is told, and nothing else", testTimeout, func() error {
		if problems := s.problems(); len(problems) > 0 {
			return errors.New(strings.Join(problems, "\n") + s.said(t, "/webhooks/marks") + s.said(t, "/webhooks/unresolved"))
		}
		if err := s.rests(); err != nil {
			return fmt.Errorf("%w: %s", err, s.said(t, "/webhooks/marks"))
		}
		return nil
	})
}

// rests returns what is left to do.
func (s *stage) rests() error {
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
		return fmt.Errorf("left to do: %+v", status.Queue)
	}
	return nil
}

// records returns the reasons of the unresolved records.
func (s *stage) records(t *testing.T) (reasons []string) {
	t.Helper()
	var list struct {
		Items []struct {
			Rule   string `json:"rule"`
			Reason string `json:"reason"`
		} `json:"items"`
	}
	if err := s.Ask("/webhooks/unresolved?limit=1000", &list); err != nil {
		t.Fatal(err)
	}
	for _, item := range list.Items {
		reasons = append(reasons, item.Rule+": "+item.Reason)
	}
	return reasons
}

// testTimeout limits every wait. Only a failing test uses it up.
const testTimeout = 3 * time.Minute
