// SPDX-License-Identifier: Apache-2.0

package browser

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/pquerna/otp/totp"

	"github.com/caddy-webhooks/caddy-webhooks/examples/gateway"
)

// member is a user whom the pages know themselves.
type member struct {
	*person
	how  way
	site *site
	name string
	// link is the one that an operator has made.
	link string
	// secret is what the authenticator app has, and at the time of its last code.
	secret string
	at30   time.Time
}

const goodPassword = "marzipan-drawbridge-otter"

// invite has an operator make a user of a tenant, and opens a tab for who gets the link.
func (s *site) invite(t *testing.T, how way, name, tenant string) *member {
	t.Helper()
	return s.inviteAs(t, how, name, "--tenant", tenant)
}

// inviteAs does that for whomever flags say.
func (s *site) inviteAs(t *testing.T, how way, name string, flags ...string) *member {
	t.Helper()
	printed, err := s.caddy.Run(t.Context(), append([]string{
		"webhooks", "users", "add", name, "--dashboard", s.origin, "--quiet", "--address", s.caddy.Admin(),
	}, flags...)...)
	if err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	m := &member{person: &person{tab: newTab(t, s.origin), keyboard: how.keyboard}, how: how, site: s, name: name, link: strings.TrimSpace(printed)}
	m.scripts(how.scripts)
	return m
}

// welcome sets the password by the link.
func (m *member) welcome() {
	m.t.Helper()
	m.open(m.link)
	m.at("Set your password")
	u, err := url.Parse(m.link)
	if err != nil {
		m.t.Fatal(err)
	}
	m.withoutScripts()
	code := m.find("textbox", "Code of the link")
	if m.how.scripts {
		if got := of[string](m.t, code, `function() { return this.value }`); got != u.Fragment || must[string](m.tab, "location.hash") != "" {
			m.t.Errorf("the code is %q at %s", got, must[string](m.tab, "location.href"))
		}
	} else {
		m.writeInto(code, u.Fragment)
	}
	m.write("New password", goodPassword)
	m.write("The same again", goodPassword)
	m.press("button", "Set the password")
}

// code returns the next code of the app, which was not used yet.
func (m *member) code() string {
	m.t.Helper()
	at := time.Now()
	if !m.at30.IsZero() && !at.Truncate(30*time.Second).After(m.at30) {
		at = m.at30.Add(30 * time.Second) // clocks may be wrong by one step
	}
	m.at30 = at.Truncate(30 * time.Second)
	code, err := totp.GenerateCode(m.secret, at)
	if err != nil {
		m.t.Fatal(err)
	}
	return code
}

// enrol sets up an authenticator app.
func (m *member) enrol() {
	m.t.Helper()
	m.at("Set up two-factor")
	m.withoutScripts()
	m.secret = strings.ReplaceAll(must[string](m.tab, `document.querySelector(".secret code").textContent`), " ", "")
	if !must[bool](m.tab, `(() => { const qr = document.querySelector(".enrol img"); return qr.complete && qr.naturalWidth > 20 })()`) {
		m.t.Error("the QR code is not there")
	}
	m.write("Code that the app shows now", m.code())
	m.press("button", "Turn on two-factor")
}

// keepCodes keeps the recovery codes, and returns them.
func (m *member) keepCodes() (codes []string) {
	m.t.Helper()
	m.at("Keep these recovery codes")
	m.withoutScripts()
	codes = must[[]string](m.tab, `[...document.querySelectorAll(".codes li")].map((li) => li.textContent)`)
	if len(codes) != 10 {
		m.t.Errorf("the recovery codes are %q", codes)
	}
	m.choose("checkbox", "I have kept them where I will find them, and not on the phone with the app.")
	m.press("button", "Go on")
	m.gone("heading", "Keep these recovery codes")
	return codes
}

// withoutScripts looks at the page, if there are no scripts: those that have some look once.
func (m *member) withoutScripts() {
	m.t.Helper()
	if !m.how.scripts {
		m.everywhere(false)
	}
}

// signIn writes the name and the password.
func (m *member) signIn() {
	m.t.Helper()
	m.open("/")
	m.at("Sign in")
	m.write("Username", m.name)
	m.write("Password", goodPassword)
	m.press("button", "Sign in")
}

// signOut ends the session.
func (m *member) signOut() {
	m.t.Helper()
	m.open("/")
	m.press("DisclosureTriangle", "Account of "+m.name)
	m.press("button", "Sign out")
	m.at("Sign in")
}

// session returns the cookie of the session.
func (m *member) session() *network.Cookie {
	m.t.Helper()
	for _, cookie := range do(m.tab, network.GetCookies, network.GetCookiesParams{URLs: []string{m.site.origin + "/"}}).Cookies {
		if strings.HasPrefix(cookie.Name, "__Host-") {
			return cookie
		}
	}
	m.t.Fatal("there is no session")
	return nil
}

// steal puts a cookie into a browser of somebody else.
func (b *tab) steal(cookie *network.Cookie) {
	b.t.Helper()
	do(b, network.SetCookie, network.SetCookieParams{Name: cookie.Name, Value: cookie.Value, URL: b.origin + "/", Path: "/", Secure: yes(), HTTPOnly: yes(), SameSite: network.CookieSameSiteStrict})
}

// Sessions are worth nothing to others: not before a second factor, not after a logout, and
// not if their token was chosen by somebody else. The pages of accounts can be used by
// everybody.
func TestAccounts(t *testing.T) {
	s := newGateway(t)
	how := ways[0]
	m := s.invite(t, how, "mara", gateway.Merchant)
	thief := quietTab(t, s.origin)
	thief.open("/account/login")
	thief.steal(&network.Cookie{Name: "__Host-webhooks", Value: "a-token-that-the-thief-knows-0123456789"})
	m.steal(&network.Cookie{Name: "__Host-webhooks", Value: "a-token-that-the-thief-knows-0123456789"})
	m.welcome()
	m.at("Set up two-factor")
	m.everywhere(true)
	first := m.session()
	if strings.HasPrefix(first.Value, "a-token") || !first.HTTPOnly || !first.Secure || first.SameSite != network.CookieSameSiteStrict {
		t.Errorf("the session is %+v", first)
	}
	// Whoever knows the password alone gets no further than its owner.
	thief.steal(first)
	thief.open("/webhooks/new")
	thief.at("Set up two-factor")

	m.enrol()
	m.at("Keep these recovery codes")
	m.everywhere(true)
	codes := m.keepCodes()
	m.at("No webhook yet")
	full := m.session()
	if full.Value == first.Value {
		t.Error("the token stays after the second factor")
	}
	thief.open("/") // with the token of before
	thief.at("Sign in")
	thief.steal(full)
	thief.open("/")
	thief.at("No webhook yet") // so what follows can fail

	m.open("/account/")
	m.at("Second factors")
	m.everywhere(true)
	m.open("/account/step-up")
	m.at("Confirm that it is you")
	m.everywhere(true)
	m.signOut()
	m.everywhere(true)
	thief.open("/")
	thief.at("Sign in")

	used := m.code()
	m.signIn()
	m.at("One more step")
	m.everywhere(true)
	m.write("Code from your authenticator app", used)
	m.press("button", "Continue")
	m.at("No webhook yet")
	m.signOut()
	// A code works once.
	m.signIn()
	m.at("One more step")
	m.write("Code from your authenticator app", used)
	m.press("button", "Continue")
	m.reads("The code is not right, was used already, or is too old.")
	m.loaded()
	m.press("DisclosureTriangle", "Use a recovery code")
	m.write("Recovery code", codes[0])
	m.press("button", "Continue with it")
	m.at("No webhook yet")
}

// A passkey is a second factor, and opens the pages alone.
func TestPasskeys(t *testing.T) {
	s := newGateway(t)
	m := s.invite(t, ways[0], "kim", gateway.Merchant)
	do(m.tab, webauthn.Enable, webauthn.EnableParams{})
	do(m.tab, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}})
	m.welcome()
	m.at("Set up two-factor")
	m.press("button", "Add a passkey instead")
	m.keepCodes()
	m.at("No webhook yet")
	m.signOut()
	m.press("button", "Use a passkey")
	m.at("No webhook yet")
	m.signOut()
	m.signIn()
	m.at("One more step")
	m.press("button", "Use a passkey")
	m.at("No webhook yet")
	m.open("/account/")
	m.at("Second factors")
	m.everywhere(true)
	m.press("button", "Make new ones")
	m.at("Make new recovery codes?")
	m.within("a") // the safe answer
	m.everywhere(true)
	m.press("link", "Keep those that are left")
	m.at("Second factors")
	do(m.tab, webauthn.Disable, cdp.Empty{})
}
