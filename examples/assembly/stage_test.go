// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/examples/internal/system"
	"github.com/caddy-webhooks/caddy-webhooks/examples/legacyapi"
)

// testBody is what a receiver gets when a callback is made.
const testBody = `{"test":true}`

// listedResources is how many resources have a list in the Caddyfile.
const listedResources = 2

// stage is the running example. Time passes inside the API when a test says so.
type stage struct {
	*system.System
	t *testing.T

	mu  sync.Mutex
	now time.Time
	// hurry is a request that is made before the API answers the next one that makes
	// an object: what is done with that object, and the body.
	hurry [2]string
}

// hurried makes the requests that are in a hurry.
func (s *stage) hurried(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		hurry := s.hurry
		if r.Method == http.MethodPost {
			s.hurry = [2]string{}
		}
		s.mu.Unlock()
		if r.Method != http.MethodPost || hurry[0] == "" {
			api.ServeHTTP(w, r)
			return
		}
		made := httptest.NewRecorder()
		api.ServeHTTP(made, r)
		method, action, _ := strings.Cut(hurry[0], " ")
		again := httptest.NewRequestWithContext(r.Context(), method, made.Header().Get("Location")+action, strings.NewReader(hurry[1]))
		again.Header.Set("Authorization", "Bearer "+Key)
		api.ServeHTTP(httptest.NewRecorder(), again)
		w.Header().Set("Location", made.Header().Get("Location"))
		w.Header().Set("Content-Type", made.Header().Get("Content-Type"))
		w.WriteHeader(made.Code)
		_, _ = w.Write(made.Body.Bytes())
	})
}

// inAHurry has something done with the next object before its making is answered.
func (s *stage) inAHurry(action, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hurry = [2]string{action, body}
}

func newStage(t *testing.T, replace ...string) *stage {
	t.Helper()
	return newStageListing(t, "every 1s", replace...)
}

// newStageListing says how often all objects are listed.
func newStageListing(t *testing.T, every string, replace ...string) *stage {
	t.Helper()
	t.Setenv("ASSEMBLY_PLATFORM_KEY", PlatformKey)
	s := &stage{t: t, now: time.Now()}
	api := New(legacyapi.Options{Now: func() time.Time {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.now
	}})
	s.System = system.Start(t, binary, s.hurried(api), append(replace, "every 10s", "every 1s", "every 1m", every)...)
	s.awaitLists()
	return s
}

// awaitLists waits until all objects have been listed once: what the first list has was
// there before, and is told to nobody.
func (s *stage) awaitLists() {
	s.t.Helper()
	s.Eventually(s.t, "all is listed", 2*time.Minute, func() error {
		var coverage struct {
			Lists []struct{ Complete time.Time }
		}
		if err := s.Ask("/webhooks/coverage", &coverage); err != nil {
			return err
		}
		complete := 0
		for _, list := range coverage.Lists {
			if !list.Complete.IsZero() {
				complete++
			}
		}
		if complete < listedResources {
			return fmt.Errorf("%d lists of %+v", complete, coverage.Lists)
		}
		return nil
	})
}

// pass lets the time pass that banks take.
func (s *stage) pass() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(legacyapi.DefaultSettleAfter)
}

// ask sends a request through Caddy, which must be answered with a status.
func (s *stage) ask(method, path, body string, status int) gjson.Result {
	s.t.Helper()
	return gjson.Parse(strings.TrimSpace(s.Wants(s.t, Key, method, path, body, status, nil).Body))
}

// inside sends a request that does not pass Caddy.
func (s *stage) inside(method, path, body string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.Inside()+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+PlatformKey)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s: %d %v", method, path, response.StatusCode, err)
	}
}

// create makes an object with members, and returns its id.
func (s *stage) create(resource, members string) string {
	s.t.Helper()
	return s.ask("POST", "/"+resource, `{"`+resource+`":`+members+`}`, 201).Get(resource + ".id").String()
}

// pay begins to pay an item.
func (s *stage) pay(item, from string) {
	s.t.Helper()
	s.ask("PATCH", "/items/"+item+"/make_payment", `{"payment":{"from":"`+from+`"}}`, 200)
}

// register makes a callback for an object type, at a path of the receiver.
func (s *stage) register(objectType, path string) string {
	s.t.Helper()
	body := fmt.Sprintf(`{"url":%q,"object_type":%q}`, s.Receiver.URL()+path, objectType)
	return s.ask("POST", "/callbacks", body, 201).Get("callbacks.id").String()
}

// told waits until the receiver is told of an object in which paths have values.
func (s *stage) told(resource string, values ...string) system.Delivery {
	s.t.Helper()
	return s.Receiver.Await(s.t, fmt.Sprintf("%s with %q", resource, values), func(d system.Delivery) bool { return d.Path == "/"+resource && has(d.Body, resource, values) })
}

// has reports whether an object has values at its paths.
func has(body, resource string, values []string) bool {
	for i := 0; i+1 < len(values); i += 2 {
		if gjson.Get(body, resource+"."+values[i]).String() != values[i+1] {
			return false
		}
	}
	return true
}

// listed returns what a list has of which a path has a value.
func (s *stage) listed(path, resource, at, value string) []gjson.Result {
	s.t.Helper()
	var found []gjson.Result
	for _, of := range s.ask("GET", path, "", 200).Get(resource).Array() {
		if of.Get(at).String() == value {
			found = append(found, of)
		}
	}
	return found
}

var errNotYet = errors.New("it is not so yet")

// part runs a part of a test, in which nothing else happens.
func (s *stage) part(name string, story func(t *testing.T)) {
	s.t.Helper()
	whole := s.t
	defer func() { s.t = whole }()
	whole.Run(name, func(t *testing.T) {
		s.t = t
		story(t)
	})
}

// settled waits until nothing more is to be found out about an object.
func (s *stage) settled(object string) {
	s.t.Helper()
	s.Eventually(s.t, object+" is settled", 2*time.Minute, func() error {
		var marks struct {
			Items []struct{ Object string }
		}
		err := s.Ask("/webhooks/marks", &marks)
		for _, mark := range marks.Items {
			if mark.Object == object {
				err = errNotYet
			}
		}
		return err
	})
}

// recorded waits until what the receiver has answered is recorded.
func (s *stage) recorded() {
	s.t.Helper()
	s.Eventually(s.t, "answers are recorded", 2*time.Minute, func() error {
		var deliveries struct{ Items []any }
		if err := s.Ask("/webhooks/deliveries?status=pending", &deliveries); err != nil || len(deliveries.Items) > 0 {
			return errors.Join(err, errNotYet)
		}
		return nil
	})
}
