// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// TestStagesFitTheCaddyfile compares the ports of the demonstration with those
// in the Caddyfile.
func TestStagesFitTheCaddyfile(t *testing.T) {
	text, err := os.ReadFile("../../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"upstream 127.0.0.1:9000",
		"reverse_proxy 127.0.0.1:9000",
		"http://127.0.0.1:9001/",
		"http://localhost:8080 {",
		"{env." + secretVariable + "}",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the Caddyfile has no %q", want)
		}
	}
	if formatted := caddyfile.Format(text); string(formatted) != string(text) {
		t.Error("the Caddyfile is not formatted: run `bin/caddy fmt --overwrite Caddyfile.example`")
	}
	var ports []string
	for _, stage := range stages("bin", "Caddyfile.example", "whsec_c2VjcmV0") {
		for _, p := range stage {
			for _, address := range p.ports {
				_, port, err := net.SplitHostPort(address)
				if err != nil {
					t.Fatal(err)
				}
				ports = append(ports, p.name+" "+port)
			}
			for _, argument := range p.args {
				if strings.Contains(argument, "whsec_") {
					t.Errorf("%s gets the secret as an argument, where other users can see it", p.name)
				}
			}
		}
	}
	if got, want := strings.Join(ports, ", "), "legacyapi 9000, receiver 9001, caddy 8080, caddy 2019"; got != want {
		t.Errorf("ports %q, want %q", got, want)
	}
}

func TestNewSecret(t *testing.T) {
	secret := newSecret()
	if _, err := standardwebhooks.NewWebhook(secret); err != nil || !strings.HasPrefix(secret, "whsec_") {
		t.Errorf("%q is not a secret: %v", secret, err)
	}
	if secret == newSecret() {
		t.Error("two secrets are the same")
	}
}

// TestGreeting tries the parts of the commands that a shell would pass on.
func TestGreeting(t *testing.T) {
	text := greeting(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	body := regexp.MustCompile(`-d '([^']*)' http://localhost:8080/items\n`).FindStringSubmatch(text)
	if body == nil {
		t.Fatalf("no curl command in %q", text)
	}
	var wrapped struct {
		Items struct {
			ID     string
			Amount int
		}
	}
	if err := json.Unmarshal([]byte(body[1]), &wrapped); err != nil {
		t.Fatal(err)
	}
	if wrapped.Items.ID != "bicycle-030405" || wrapped.Items.Amount <= 0 {
		t.Errorf("the item is %+v", wrapped.Items)
	}
	if path := "/items/" + wrapped.Items.ID + "/make_payment"; !strings.Contains(text, path) {
		t.Errorf("no %s in %q", path, text)
	}
}

func TestProbe(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + listener.Addr().String()
	server := &http.Server{Handler: http.NotFoundHandler(), ReadTimeout: time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	if err := probe(t.Context(), http.DefaultClient, url); err != nil {
		t.Errorf("a 404 is an answer, but probe says %v", err)
	}
	server.Close()
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	if err := probe(t.Context(), http.DefaultClient, url); err == nil {
		t.Error("probe finds a server that is closed")
	}
}
