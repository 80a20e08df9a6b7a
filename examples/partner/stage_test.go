// SPDX-License-Identifier: Apache-2.0

package partner

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/caddy-webhooks/caddy-webhooks/examples/internal/system"
)

// stage is the running example. What happens inside the API happens when a test says so.
type stage struct {
	*system.System
	t     *testing.T
	later system.Later
	// fast is a duration: what happens after no more than that happens at once.
	fast atomic.Int64
}

func newStage(t *testing.T) *stage {
	t.Helper()
	return newStageWith(t, "every 10s", "every 1s")
}

// newStageWith replaces texts in the Caddyfile.
func newStageWith(t *testing.T, replace ...string) *stage {
	t.Helper()
	t.Setenv("PARTNER_PLATFORM_KEY", PlatformKey)
	s := &stage{t: t}
	api := New(Options{Later: func(after time.Duration, what func()) {
		if int64(after) <= s.fast.Load() {
			what()
			return
		}
		s.later.Hold(what)
	}})
	s.System = system.Start(t, binary, api.Handler(), replace...)
	return s
}

// callback is what a partner is told of a callback.
type callback struct {
	NotificationType int    `json:"notificationType"`
	CallbackURL      string `json:"callbackUrl"`
	Active           bool   `json:"active"`
	Secret           string `json:"secret,omitempty"`
}

// register sets Acme's callback of a type, at a path of the receiver.
func (s *stage) register(notificationType int, path string) callback {
	s.t.Helper()
	var made callback
	s.Wants(s.t, "acme-key", "PUT", callbackPath(Acme, notificationType), fmt.Sprintf(`{"callbackUrl":%q}`, s.Receiver.URL()+path), 200, &made)
	return made
}

func callbackPath(partner string, notificationType int) string {
	return fmt.Sprintf("/%s/callbacks/%d", partner, notificationType)
}

// callbacks returns those that a partner has.
func (s *stage) callbacks(key, partner string) (list []callback) {
	s.t.Helper()
	s.Wants(s.t, key, "GET", "/"+partner+"/callbacks", "", 200, &list)
	return list
}

// begin begins a process or a simulation, and returns its id.
func (s *stage) begin(key, partner, kind string, amount int) string {
	s.t.Helper()
	var made map[string]any
	s.Wants(s.t, key, "POST", "/partners/"+partner+"/"+kind, fmt.Sprintf(`{"amount":%d}`, amount), 201, &made)
	id, _ := cmp.Or(made["processUniqueId"], made["simulationUniqueId"]).(string)
	return id
}

// told waits for what a path of the receiver is told of an object.
func (s *stage) told(path, id string) system.Delivery {
	s.t.Helper()
	return s.Receiver.Await(s.t, id+" at "+path, func(d system.Delivery) bool { return d.Path == path && strings.Contains(d.Body, id) })
}

// at returns how many deliveries a path has got.
func (s *stage) at(path string) (n int) {
	for _, d := range s.Receiver.Got() {
		if d.Path == path {
			n++
		}
	}
	return n
}

// sign signs a process that has been approved.
func (s *stage) sign(id string) {
	s.t.Helper()
	s.later.Happen()
	s.Wants(s.t, "acme-key", "POST", "/partners/"+Acme+"/processes/"+id+"/signature", "", 200, nil)
}

// schemas returns what a body of each type has, compiled by another hand than ours.
func (s *stage) schemas() map[string]*jsonschema.Schema {
	s.t.Helper()
	var types []struct {
		Alias  string          `json:"alias"`
		Schema json.RawMessage `json:"schema"`
	}
	if err := s.Ask("/config/apps/webhooks/subscribers/types", &types); err != nil {
		s.t.Fatal(err)
	}
	made := make(map[string]*jsonschema.Schema)
	for _, of := range types {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(of.Schema)))
		if err != nil {
			s.t.Fatal(err)
		}
		compiler := jsonschema.NewCompiler()
		if err := compiler.AddResource("type.json", document); err != nil {
			s.t.Fatal(err)
		}
		made[of.Alias] = compiler.MustCompile("type.json")
	}
	return made
}

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
