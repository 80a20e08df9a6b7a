// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/examples/internal/system"
)

// Callbacks have HTTPS URLs with a valid certificate. The same server is refused, with
// the reason, as long as nobody vouches for its certificate.
func TestCertificates(t *testing.T) {
	create := func(s *stage, url string, status int) string {
		s.t.Helper()
		return s.ask("POST", "/callbacks", fmt.Sprintf(`{"url":%q,"object_type":"items"}`, url), status).Raw
	}
	t.Run("self signed", func(t *testing.T) {
		s := newStage(t, "\t\t\tallow http\n", "")
		receiver := httptest.NewTLSServer(s.Receiver)
		t.Cleanup(receiver.Close)
		answer := create(s, receiver.URL, 422)
		if !strings.Contains(answer, `"pointer":"/url"`) || !strings.Contains(answer, "certificate") {
			t.Errorf("no reason: %s", answer)
		}
		if got := s.Receiver.Got(); len(got) > 0 {
			t.Errorf("it was called all the same: %+v", got)
		}
	})
	t.Run("without tls", func(t *testing.T) {
		s := newStage(t, "\t\t\tallow http\n", "")
		if answer := create(s, s.Receiver.URL(), 422); !strings.Contains(answer, "HTTPS with a valid certificate") {
			t.Errorf("no reason: %s", answer)
		}
		if got := s.Receiver.Got(); len(got) > 0 {
			t.Errorf("it was called all the same: %+v", got)
		}
	})
	t.Run("valid", func(t *testing.T) {
		own := system.NewReceiver(t)
		receiver := httptest.NewTLSServer(own)
		t.Cleanup(receiver.Close)
		authority := filepath.Join(t.TempDir(), "authority.pem")
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: receiver.Certificate().Raw})
		if err := os.WriteFile(authority, text, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("SSL_CERT_FILE", authority)
		s := newStage(t, "\t\t\tallow http\n", "")
		create(s, receiver.URL+"/items", 201)
		item := s.create("items", `{"name":"Bell","amount":5}`)
		s.pay(item, "wallet")
		own.Await(t, "it is told", func(d system.Delivery) bool { return has(d.Body, "items", []string{"id", item, "state", "completed"}) })
	})
}

// Callbacks come from the addresses that are told, and those of one always from the same.
func TestAddresses(t *testing.T) {
	s := newStage(t, "from 127.0.0.1", "from 127.0.0.2 127.0.0.3")
	allowed := []string{"127.0.0.2", "127.0.0.3"}
	for _, resource := range []string{"items", "users", "transactions"} {
		s.register(resource, "/"+resource)
	}
	for range 3 {
		item := s.create("items", `{"name":"Bell","amount":5}`)
		s.pay(item, "wallet")
		s.told("items", "id", item)
		s.told("transactions", "item.id", item)
	}
	from := make(map[string]string)
	for _, d := range s.Receiver.Got() {
		if !slices.Contains(allowed, d.From) {
			t.Errorf("%s was called from %s", d.Path, d.From)
		}
		if d.Body != testBody && from[d.Path] != "" && from[d.Path] != d.From {
			t.Errorf("%s was called from %s and from %s", d.Path, from[d.Path], d.From)
		}
		if d.Body != testBody {
			from[d.Path] = d.From
		}
	}
}

// The path of a URL may be all that protects a receiver: nothing but the API of the
// callback itself tells it.
func TestObfuscatedURL(t *testing.T) {
	const secret = "1bb77e2f892ebab9b2"
	s := newStage(t, "persist_config off", "persist_config off\n\tdebug\n\tmetrics")
	url := s.Receiver.URL() + "/callbacks/items/" + secret + "?key=" + secret
	body := fmt.Sprintf(`{"url":%q,"object_type":"items"}`, url)
	s.Receiver.Answer(func(system.Delivery) int { return http.StatusInternalServerError })
	s.ask("POST", "/callbacks", body, 422)
	s.Receiver.Answer(func(system.Delivery) int { return http.StatusOK })
	id := s.ask("POST", "/callbacks", body, 201).Get("callbacks.id").String()
	if got := s.ask("GET", "/callbacks/"+id, "", 200).Get("callbacks.url").String(); got != url {
		t.Errorf("its owner sees %s", got)
	}

	failed := make(chan struct{}, 100)
	s.Receiver.Answer(func(system.Delivery) int {
		failed <- struct{}{}
		return http.StatusBadGateway
	})
	item := s.create("items", `{"name":"Bell","amount":5}`)
	s.pay(item, "wallet")
	select {
	case <-failed:
	case <-time.After(2 * time.Minute):
		t.Fatal("it was not called")
	}
	s.Receiver.Answer(func(system.Delivery) int { return http.StatusOK })
	s.Eventually(t, "it is called again", 2*time.Minute, func() error {
		if slices.ContainsFunc(s.Receiver.Got(), func(d system.Delivery) bool {
			return strings.HasSuffix(d.Path, secret) && strings.Contains(d.Body, item)
		}) {
			return nil
		}
		output, err := s.Run(t.Context(), "webhooks", "retry", id, "--address", s.Admin())
		return fmt.Errorf("%s: %w", output, err)
	})
	if log := s.Log(); strings.Contains(log, secret) {
		t.Errorf("it stands in the log:\n%s", linesWith(log, secret))
	} else if !strings.Contains(log, `"level":"debug"`) {
		t.Error("the log is not that of debugging")
	}
	for _, view := range []string{"/metrics", "/webhooks/endpoints", "/webhooks/attempts", "/webhooks/deliveries", "/webhooks/audit", "/webhooks/status"} {
		if shown := s.shown(view); strings.Contains(shown, secret) {
			t.Errorf("%s tells it:\n%s", view, linesWith(shown, secret))
		}
	}
}

// shown returns what the admin endpoint shows.
func (s *stage) shown(view string) string {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.Admin()+view, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || len(text) == 0 {
		s.t.Fatalf("%s: %d %v", view, response.StatusCode, err)
	}
	return string(text)
}

func linesWith(text, secret string) string {
	var found []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, secret) {
			found = append(found, line)
		}
	}
	return strings.Join(found, "")
}
