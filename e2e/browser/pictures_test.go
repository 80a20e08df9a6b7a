// SPDX-License-Identifier: Apache-2.0

package browser

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"

	"github.com/caddy-webhooks/caddy-webhooks/examples/gateway"
)

// pictures is where those of the pages go that the documentation shows.
var pictures = flag.String("pictures", "", "directory into which pictures of the pages are written")

// picture takes one of a page: light on a screen, and dark on a phone.
func (p *person) picture(name string) {
	p.t.Helper()
	for _, of := range []struct {
		theme         string
		width, height int64
	}{{"light", 1440, 860}, {"dark", 360, 740}} {
		p.size(of.width, of.height)
		p.theme(of.theme)
		must[bool](p.tab, `new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn(true))))`)
		shot := do(p.tab, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatPng})
		file := filepath.Join(*pictures, fmt.Sprintf("%s-%s.png", name, of.theme))
		if err := os.WriteFile(file, shot.Data, 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
	p.size(1440, 900)
	p.theme("light")
}

// TestPictures takes the pictures of docs/dashboard.md, of the gateway's pages.
func TestPictures(t *testing.T) {
	if *pictures == "" {
		t.Skip("pictures are taken with -pictures")
	}
	s := newGateway(t)
	m := s.invite(t, ways[0], "mara", gateway.Merchant)
	m.welcome()
	m.at("Set up two-factor")
	m.picture("enrol")
	m.enrol()
	m.keepCodes()
	m.at("No webhook yet")
	broken := newReceiver(t)
	broken.answers(http.StatusOK, "thanks")
	cart := s.merchantHook(t, "Shopping cart", s.receiver.URL+"/hooks", `["transaction.sale.*","product.inventory.*"]`)
	s.merchantHook(t, "Ledger", s.receiver.URL+"/ledger", `["settlement.batch.*","ach.settled"]`)
	s.merchantHook(t, "Warehouse", broken.URL+"/stock", `["transaction.sale.success"]`)
	broken.answers(http.StatusServiceUnavailable, "down for maintenance")
	for range 6 {
		s.sale(t)
	}
	eventually(t, "the sales are told of", func() error {
		s.receiver.mu.Lock()
		defer s.receiver.mu.Unlock()
		sales := 0
		for _, got := range s.receiver.got {
			if strings.HasPrefix(got.header.Get("Webhook-Event"), "transaction") {
				sales++
			}
		}
		if sales < 6 {
			return errNotYet
		}
		return nil
	})
	m.open("/")
	m.reads("Warehouse")
	m.picture("webhooks")
	m.open("/webhooks/new")
	m.write("Webhook Label", "Till")
	m.search("Find an event", "sale")
	m.press("button", "Find")
	m.find("checkbox", "transaction.sale.success A sale was approved")
	m.loaded()
	m.choose("checkbox", "transaction.sale.success A sale was approved")
	must[bool](m.tab, `(scrollTo(0, 0), true)`)
	m.picture("add")
	m.open("/webhooks/" + cart + "/deliveries")
	m.reads("transaction.sale.success")
	m.picture("deliveries")
	m.open(must[string](m.tab, `document.querySelector("#rows a").getAttribute("href")`))
	m.at("transaction.sale.success")
	m.picture("delivery")
	m.open("/events/transaction.sale.success")
	m.at("transaction.sale.success")
	m.picture("event")
	o := s.inviteAs(t, ways[0], "olga", "--operator")
	o.welcome()
	o.enrol()
	o.keepCodes()
	for _, path := range []string{"/vault/customers", "/vault/customers", "/disputes/17/evidence"} {
		s.post(t, path, `{}`)
	}
	o.open("/operator/?period=1h")
	o.at("Overview")
	o.picture("overview")
	o.open("/operator/coverage")
	o.at("Coverage")
	o.picture("coverage")
}

// merchantHook makes a webhook by the API for programs.
func (s *site) merchantHook(t *testing.T, label, to, events string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.gateway+"/webhooks/endpoints",
		strings.NewReader(fmt.Sprintf(`{"label":%q,"url":%q,"events":%s,"signature":"x-signature"}`, label, to, events)))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(gateway.Merchant, gateway.Passwords[gateway.Merchant])
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var made struct {
		ID string `json:"id"`
	}
	if err := json.NewDecoder(response.Body).Decode(&made); err != nil || response.StatusCode != http.StatusCreated {
		t.Fatalf("making a webhook is answered with %d, %v", response.StatusCode, err)
	}
	return made.ID
}
