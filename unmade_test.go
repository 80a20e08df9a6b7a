// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Patterns that no type can match are told, and no others: what a type takes from a Show
// can be anything.
func TestUnmade(t *testing.T) {
	var types []event.Template
	for _, text := range []string{"orders.created", "orders.state.{state}", "endpoint.failing"} {
		made, err := event.ParseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		types = append(types, made)
	}
	for patterns, want := range map[string]string{
		"*":                                    "",
		"orders.*":                             "",
		"order.*":                              "order.*",
		"orders.created orders.deleted":        "orders.deleted",
		"orders.state.paid orders.states.*":    "orders.states.*",
		"endpoint.* orders.created.* ORDERS.*": "orders.created.* ORDERS.*",
	} {
		if got := strings.Join(unmade(strings.Fields(patterns), types), " "); got != want {
			t.Errorf("%s: %q, want %q", patterns, got, want)
		}
	}
}

// An endpoint that wants events which nothing makes is told with a start, and with
// `caddy validate`.
func TestUnmadeIsTold(t *testing.T) {
	s := newStage(t)
	log := filepath.Join(t.TempDir(), "log")
	config := s.config("endpoint typo "+s.receiver.URL+" {\nsecret {env.TEST_SECRET}\nevents item.* items.paid\n}", "resource users {\nevent items.{state} on change\n}")
	adapted, err := adapt(t, s.logged(config, log))
	if err != nil {
		t.Fatal(err)
	}
	for name, try := range map[string]func() error{
		"start": func() error { return caddy.Load(adapted, true) },
		"validate": func() error {
			var parsed *caddy.Config
			if err := json.Unmarshal(adapted, &parsed); err != nil {
				return err
			}
			return caddy.Validate(parsed)
		},
	} {
		if err := os.WriteFile(log, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := try(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text := readText(t, log)
		if strings.Count(text, "no rule makes the events that are wanted") != 1 || !strings.Contains(text, `"endpoint":"typo","events":"item.*"`) || !strings.Contains(text, "items.{state}") {
			t.Errorf("%s said\n%s", name, text)
		}
	}
}

// logged returns a configuration that logs warnings to a file.
func (s *stage) logged(config, file string) string {
	return strings.Replace(config, "level ERROR", "output file "+file+"\nlevel INFO", 1)
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
