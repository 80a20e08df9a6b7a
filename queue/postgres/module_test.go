// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func parse(t *testing.T, text string) (*Queue, error) {
	t.Helper()
	d := caddyfile.NewTestDispenser(text)
	d.Next() // queue
	q := new(Queue)
	return q, q.UnmarshalCaddyfile(d)
}

func TestCaddyfile(t *testing.T) {
	for text, want := range map[string]string{
		"queue postgres {env.DATABASE_URL}": `{"dsn":"{env.DATABASE_URL}"}`,
		`queue postgres postgres://h/d {
			dir         /var/lib/caddy/webhooks
			connections 8
			poll        1s
			migrate
		}`: `{"dsn":"postgres://h/d","dir":"/var/lib/caddy/webhooks","connections":8,"poll":1000000000,"migrate":true}`,
	} {
		q, err := parse(t, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := json.Marshal(q); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	}
}

func TestBadCaddyfile(t *testing.T) {
	for text, want := range map[string]string{
		"queue postgres":                            "takes its database",
		"queue postgres a b":                        "takes its database",
		"queue postgres a {\n\tmigrate now\n}":      "migrate takes nothing",
		"queue postgres a {\n\tpoll soon\n}":        `"soon" is not a duration`,
		"queue postgres a {\n\tconnections some\n}": `"some" is not a number`,
		"queue postgres a {\n\tdir\n}":              "dir takes one value",
		"queue postgres a {\n\tsize 3\n}":           "no option size",
	} {
		if _, err := parse(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// No error tells the password, whatever is wrong with the rest.
func TestProvision(t *testing.T) {
	t.Setenv("TEST_DSN", "postgres://caddy:hunter2@db.example:5433/hooks\n")
	dir := t.TempDir()
	for _, test := range []struct {
		q    Queue
		want string
	}{
		{Queue{}, "the database is missing"},
		{Queue{DSN: "{env.TEST_NOTHING}hunter2"}, "stands for nothing"},
		{Queue{DSN: "postgres://caddy:hunter2@db:port/hooks"}, "cannot be read"},
		{Queue{DSN: "host=db password=hunter2 sslmode=perhaps"}, "cannot be read"},
		{Queue{DSN: "{env.TEST_DSN}", Connections: 1}, "between 2 and 100"},
		{Queue{DSN: "{env.TEST_DSN}", Poll: caddy.Duration(time.Hour)}, "between 10ms and 1m"},
		{Queue{DSN: "{env.TEST_DSN}", Dir: "{env.TEST_NOTHING}"}, "TEST_NOTHING"},
		{Queue{DSN: "{env.TEST_DSN}", Dir: dir}, ""},
	} {
		err := test.q.Provision(caddy.Context{})
		switch {
		case test.want == "":
			if err != nil || test.q.Engine().Name() != "postgres db.example:5433/hooks" || test.q.Engine().Dir() != dir {
				t.Errorf("got %q, %q, %v", test.q.Engine().Name(), test.q.Engine().Dir(), err)
			}
		case err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%v, want %q", err, test.want)
		}
	}
}

// A server that is not there may come; the error names it, and not the password.
func TestServerIsNotThere(t *testing.T) {
	q := Queue{DSN: "host=" + t.TempDir() + " port=5434 user=caddy password=hunter2 dbname=hooks", Dir: t.TempDir()}
	if err := q.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	owned := false
	_, err := q.Engine().Open(queue.OpenOptions{Owned: func() { owned = true }})
	if err == nil || queue.Misconfigured(err) || !owned || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "5434") {
		t.Errorf("got %v, and the directory is owned: %v", err, owned)
	}
}
