// SPDX-License-Identifier: Apache-2.0

package browser

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/examples/gateway"
	"github.com/caddy-webhooks/caddy-webhooks/internal/freeport"
)

// newGateway starts the example of a gateway as its Caddyfile is, but for addresses. The pages
// have a host of their own.
func newGateway(t *testing.T) *site {
	t.Helper()
	shared.start(t) // where there is no browser, nothing else is started
	api := httptest.NewServer(gateway.New(gateway.Options{}).Handler())
	t.Cleanup(api.Close)
	t.Setenv("GATEWAY_PLATFORM_KEY", gateway.PlatformKey)
	file, err := os.ReadFile("../../examples/gateway/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	text := string(file)
	s := &site{t: t, receiver: newReceiver(t), gateway: "http://" + freeport.Address(t)}
	for _, pair := range [][2]string{
		{"{\n\twebhooks {", "{\n\tadmin $ADMIN\n\tpersist_config off\n\twebhooks {"},
		{"queue badger ./data/gateway", "queue badger $QUEUE"},
		{"http://localhost:8080", s.gateway},
		{"http://localhost:8081", "$ORIGIN"},
		{"127.0.0.1:9000", api.Listener.Addr().String()},
	} {
		if !strings.Contains(text, pair[0]) {
			t.Fatalf("the Caddyfile has no %q", pair[0])
		}
		text = strings.ReplaceAll(text, pair[0], pair[1])
	}
	s.start(text)
	return s
}

// sale makes one at the gateway, as the merchant.
func (s *site) sale(t *testing.T) {
	t.Helper()
	if status := s.post(t, "/transactions", `{"kind":"sale","amount":"5.00"}`); status != http.StatusCreated {
		t.Fatalf("a sale is answered with %d", status)
	}
}

// post sends something to the gateway, as the merchant, and returns how it is answered.
func (s *site) post(t *testing.T, path, body string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.gateway+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(gateway.Merchant, gateway.Passwords[gateway.Merchant])
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// A merchant who has nothing but a link sets up everything on the pages: the password, the
// second factor and a webhook, which is told of the next sale.
func TestGateway(t *testing.T) {
	s := newGateway(t)
	for _, how := range ways {
		t.Run(how.name, func(t *testing.T) {
			name := strings.NewReplacer(" ", "-", ",", "").Replace(how.name)
			m := s.invite(t, how, name, gateway.Merchant)
			m.welcome()
			m.enrol()
			m.keepCodes()
			m.at("No webhook yet")
			m.press("link", "Add Webhook")
			m.at("Add Webhook")
			m.write("Webhook Label", "Shopping cart")
			m.write("Hook URL", s.receiver.URL+"/"+name)
			m.search("Find an event", "sale was approved")
			m.press("button", "Find")
			m.find("checkbox", "transaction.sale.success A sale was approved")
			m.loaded()
			m.choose("checkbox", "transaction.sale.success A sale was approved")
			m.choose("radio", "Basic A username and a password, with each delivery")
			m.write("Username", "shop")
			m.write("Password", "s3cret")
			m.choose("radio", "Signature Key A key that is used for signatures only, and only by you")
			m.press("button", "Add Hook")
			m.at("Shopping cart was added")
			key := must[string](m.tab, `document.getElementById("secret").textContent`)
			s.sale(t)
			got := s.receiver.await(t, "a sale", func(r received) bool {
				return r.path == "/"+name && r.header.Get("Webhook-Event") == "transaction.sale.success"
			})
			mac := hmac.New(sha256.New, []byte(key))
			mac.Write([]byte(got.body))
			if signature := got.header.Get("X-Signature"); signature != hex.EncodeToString(mac.Sum(nil)) {
				t.Errorf("%s is signed %q with %s", got.body, signature, key)
			}
			if user, password, _ := (&http.Request{Header: got.header}).BasicAuth(); user != "shop" || password != "s3cret" {
				t.Errorf("it authenticates as %q, %q", user, password)
			}
			m.press("link", "I have kept the key")
			m.at("Shopping cart")
			m.press("link", "Delete Hook…")
			m.at("Delete “Shopping cart”?")
			m.press("button", "Delete Hook")
			m.reads("The webhook was deleted.")
		})
	}
}
