// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/internal/freeport"
)

// TestOwnIsRefused has endpoints that would act on the API or on Caddy in our
// name. Their networks are permitted; only what is ours is not.
func TestOwnIsRefused(t *testing.T) {
	s := newStage(t)
	api, ours := s.api.Listener.Addr().String(), s.address
	port := ours[strings.LastIndex(ours, ":"):]
	for _, test := range []struct{ name, url, want string }{
		{"the API", "http://" + api + "/items", "the API itself"},
		{"the API, by another of loopback's", "http://127.0.0.2" + api[strings.LastIndex(api, ":"):] + "/items", "the API itself"},
		{"the site, by its address", "http://" + ours + "/items", "this Caddy"},
		{"the site, by another of loopback's", "http://127.0.0.9" + port + "/items", "this Caddy"},
		{"the admin endpoint's default", "http://127.0.0.1:2019/load", "this Caddy"},
		{"the admin endpoint", "http://" + s.admin + "/load", "this Caddy"},
	} {
		endpoint := "endpoint loop " + test.url + " {\n secret {env.TEST_SECRET}\n}\n"
		err := s.load(s.config(endpoint, ""))
		if err == nil || !strings.Contains(err.Error(), "endpoint loop") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
		permitted := strings.Replace(s.config(endpoint, ""), "allow http", "allow http\nallow self", 1)
		if err := s.load(permitted); err != nil {
			t.Errorf("%s, permitted: %v", test.name, err)
		}
	}
}

// runningApp returns the app of the configuration that runs.
func runningApp(t *testing.T) *App {
	t.Helper()
	app, err := caddy.ActiveContext().AppIfConfigured("webhooks")
	if err != nil {
		t.Fatal(err)
	}
	return app.(*App)
}

// TestOwnStaysTheSame applies a configuration twice: were what is ours put
// together in another order, the connections to all receivers would be lost.
func TestOwnStaysTheSame(t *testing.T) {
	s := newStage(t)
	s.mustLoad(s.config("", ""))
	policy := runningApp(t).policy
	s.mustLoad(s.config("", "max_shows 3"))
	if !runningApp(t).policy.Equal(policy) {
		t.Error("a reload changed the policy")
	}
	if own := policy.Own; len(own.Listeners) < 2 || len(own.Hosts) != 1 || len(own.Upstreams) != 1 {
		t.Errorf("ours is %+v", own)
	}
}

// TestOwnIsInOrder asks again and again what is ours, of several servers, which
// Caddy keeps in no order.
func TestOwnIsInOrder(t *testing.T) {
	s := newStage(t)
	more := ""
	for range 4 {
		more += "http://" + freeport.Address(t) + " {\n\trespond ok\n}\n"
	}
	s.mustLoad(s.config("", "") + more)
	app := runningApp(t)
	first, err := app.self()
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if again, err := app.self(); err != nil || !again.Equal(first) {
			t.Fatalf("got %+v and %v, then %+v", first, err, again)
		}
	}
}

// TestAdminAddresses reads where the admin endpoint listens, in each way in
// which a configuration can say it. It fails when Caddy keeps that elsewhere.
func TestAdminAddresses(t *testing.T) {
	for _, test := range []struct {
		name  string
		admin *caddy.AdminConfig
		want  []string
	}{
		{"nothing", nil, []string{caddy.DefaultAdminListen}},
		{"elsewhere", &caddy.AdminConfig{Listen: "10.1.2.3:2999"}, []string{caddy.DefaultAdminListen, "10.1.2.3:2999"}},
		{"off", &caddy.AdminConfig{Disabled: true, Listen: ":2999"}, []string{caddy.DefaultAdminListen}},
		{"remote", &caddy.AdminConfig{Remote: &caddy.RemoteAdmin{}}, []string{caddy.DefaultAdminListen, caddy.DefaultRemoteAdminListen}},
		{
			"remote elsewhere", &caddy.AdminConfig{Listen: "unix//run/caddy", Remote: &caddy.RemoteAdmin{Listen: ":3021"}},
			[]string{caddy.DefaultAdminListen, "unix//run/caddy", ":3021"},
		},
	} {
		ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: test.admin})
		if err != nil {
			t.Fatal(err)
		}
		if got := adminAddresses(ctx); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
	if got := adminAddresses(caddy.Context{}); !slices.Equal(got, []string{caddy.DefaultAdminListen}) {
		t.Errorf("without a configuration: %q", got)
	}
}

// TestUpstreamAddresses reads where the API is from a handler's configuration.
func TestUpstreamAddresses(t *testing.T) {
	t.Setenv("TEST_API", "10.1.2.3:9000")
	t.Setenv("TEST_PORT", "9001")
	for given, want := range map[string]string{
		`{"upstreams":[{"dial":"127.0.0.1:9000"}]}`:                                       "127.0.0.1:9000",
		`{"upstreams":[{"dial":":9000"}]}`:                                                "localhost:9000 127.0.0.1:9000 [::1]:9000",
		`{"upstreams":[{"dial":"0.0.0.0:9000"}]}`:                                         "localhost:9000 127.0.0.1:9000 [::1]:9000",
		`{"upstreams":[{"dial":"{env.TEST_API}"}]}`:                                       "10.1.2.3:9000",
		`{"upstreams":[{"dial":"api.internal:{env.TEST_PORT}"}]}`:                         "api.internal:9001",
		`{"upstreams":[{"dial":"{http.request.host}:80"},{"dial":"unix//run/api.sock"}]}`: "",
		`{"dynamic_upstreams":{"source":"a","name":"api.internal","port":"9000"}}`:        "api.internal:9000",
		`{"dynamic_upstreams":{"source":"a","name":"api.internal"}}`:                      "api.internal:80",
		`{"dynamic_upstreams":{"source":"srv","name":"api.internal"}}`:                    "",
	} {
		if got := strings.Join(upstreamAddresses([]byte(`{"upstream":`+given+`}`)), " "); got != want {
			t.Errorf("%s: %s, want %s", given, got, want)
		}
	}
}
