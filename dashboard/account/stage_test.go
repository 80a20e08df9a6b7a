// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"errors"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"go.uber.org/goleak"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/password"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/session"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/users"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/seal"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

const secretWord = "correct horse battery"

// hashes counts what is hashed.
type hashes struct {
	hasher
	n atomic.Int64
}

func (h *hashes) Hash(ctx context.Context, text string) (string, error) {
	h.n.Add(1)
	return h.hasher.Hash(ctx, text)
}

func (h *hashes) Matches(ctx context.Context, hash, text string) (ok, stale bool, err error) {
	h.n.Add(1)
	return h.hasher.Matches(ctx, hash, text)
}

// counted counts what the queue is asked.
type counted struct {
	queue.Store
	reads, writes atomic.Int64
	// full has every write fail, as a disk that is full.
	full atomic.Bool
	// meanwhile, if not nil, happens before the next write.
	meanwhile func()
}

func (c *counted) Record(ctx context.Context, kind, id string) (queue.Record, error) {
	c.reads.Add(1)
	return c.Store.Record(ctx, kind, id)
}

func (c *counted) Change(ctx context.Context, changes ...queue.Record) (uint64, error) {
	c.writes.Add(1)
	if happens := c.meanwhile; happens != nil {
		c.meanwhile = nil
		happens()
	}
	if c.full.Load() {
		return 0, queue.ErrBusy
	}
	return c.Store.Change(ctx, changes...)
}

// stage is a server below /hooks, with a clock.
type stage struct {
	*testing.T
	*Server
	at     time.Time
	store  *counted
	hashes *hashes
	book   *users.Book
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{T: t, at: epoch}
	clock := func() time.Time { return s.at }
	ring, err := seal.NewKeyring(seal.NewKey())
	must(t, err)
	renderer, err := dashboard.NewTemplates(Templates(), clock)
	must(t, err)
	s.store = &counted{Store: memory.New(clock)}
	process := NewProcess(password.Params{Memory: 64, Time: 1, Threads: 1}, clock)
	s.hashes = &hashes{hasher: process.hasher}
	process.hasher = s.hashes
	s.book = &users.Book{Store: s.store, Sealer: ring, Now: clock}
	s.Server = New(Options{
		Queue: func() queue.Store { return s.store }, Sealer: func() subscribers.Sealer { return ring }, Renderer: renderer, Process: process, Now: clock,
	})
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// browser keeps cookies.
type browser struct {
	*stage
	token   string
	address string
	header  http.Header
}

func (s *stage) browser() *browser {
	return &browser{stage: s, address: "192.0.2.1", header: http.Header{}}
}

// answer is what a browser was sent.
type answer struct {
	*testing.T
	status   int
	location string
	body     string
	header   http.Header
}

func (b *browser) request(method, path string, form url.Values) *http.Request {
	b.Helper()
	r := httptest.NewRequestWithContext(b.Context(), method, "https://hooks.example.com"+path, strings.NewReader(form.Encode()))
	r.RemoteAddr = b.address + ":1234"
	for name, values := range b.header {
		r.Header[name] = values
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if b.token != "" {
		r.AddCookie(&http.Cookie{Name: session.CookieName, Value: b.token, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	}
	return r
}

func (b *browser) do(method, path string, form url.Values) answer {
	b.Helper()
	w := httptest.NewRecorder()
	b.Pages().ServeHTTP(w, b.request(method, path, form))
	for _, cookie := range w.Result().Cookies() {
		b.token = cookie.Value
	}
	return answer{b.T, w.Code, w.Header().Get("Location"), w.Body.String(), w.Header()}
}

func (b *browser) get(path string) answer { b.Helper(); return b.do(http.MethodGet, path, nil) }

// post sends a form: names and values in turn.
func (b *browser) post(path string, pairs ...string) answer {
	b.Helper()
	form := url.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		form.Set(pair[0], pair[1])
	}
	return b.do(http.MethodPost, path, form)
}

// to fails unless the answer leads to a path.
func (a answer) to(location string) answer {
	a.Helper()
	if a.status != http.StatusSeeOther || a.location != location {
		a.Fatalf("answered %d to %q, want %q: %s", a.status, a.location, location, a.text())
	}
	return a
}

// has fails unless the answer is a page with a status and a text.
func (a answer) has(status int, texts ...string) answer {
	a.Helper()
	for _, text := range texts {
		if a.status != status || !strings.Contains(a.text(), text) {
			a.Fatalf("answered %d, want %d with %q: %s", a.status, status, text, a.text())
		}
	}
	return a
}

var tags = regexp.MustCompile(`(?s)<svg class="sprite".*?</svg>|<[^>]*>`)

// text returns what a page says.
func (a answer) text() string {
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(a.body, " "))), " ")
}

// person returns who a browser's user is, or the path where they are sent.
func (b *browser) person() (dashboard.Person, string) {
	b.Helper()
	p, err := b.Person(b.request(http.MethodGet, "/webhooks", nil))
	var elsewhere *dashboard.Elsewhere
	if errors.As(err, &elsewhere) {
		return p, elsewhere.Path
	}
	must(b.T, err)
	return p, ""
}

// member is a user who has set up everything.
type member struct {
	users.User
	secret string
	codes  []string
}

// code returns the code that a member's app shows.
func (s *stage) code(m *member) string {
	s.Helper()
	text, err := totp.GenerateCode(m.secret, s.at)
	must(s.T, err)
	return text
}

// tick lets time pass until there is another code.
func (s *stage) tick() { s.at = s.at.Add(30 * time.Second) }

var (
	shownSecret = regexp.MustCompile(`<code tabindex="0">([A-Z2-7 ]+)</code>`)
	shownCodes  = regexp.MustCompile(`<li>([0-9a-z]{5}-[0-9a-z]{5})</li>`)
)

// join makes a user, who sets a password and a second factor in a browser.
func (b *browser) join(name, tenant string) *member {
	b.Helper()
	u, code, err := b.book.Add(b.Context(), name, tenant, users.LinkFor, nil)
	must(b.T, err)
	b.post("/account/welcome", "code", code, "password", secretWord, "again", secretWord).to("/account/enrol")
	m := &member{User: u}
	b.enrol(m)
	return m
}

// enrol sets up an app, and keeps the recovery codes.
func (b *browser) enrol(m *member) {
	b.Helper()
	shown := shownSecret.FindStringSubmatch(b.get("/account/enrol").body)
	if shown == nil {
		b.Fatal("no secret is shown")
	}
	m.secret = strings.ReplaceAll(shown[1], " ", "")
	b.post("/account/enrol", "code", b.code(m)).to("/account/codes")
	m.codes = nil
	for _, shown := range shownCodes.FindAllStringSubmatch(b.get("/account/codes").body, -1) {
		m.codes = append(m.codes, shown[1])
	}
	b.post("/account/codes", "kept", "yes").to("/")
	b.tick()
}

// logIn logs a member in with password and code.
func (b *browser) logIn(m *member) {
	b.Helper()
	b.post("/account/login", "user", m.Name, "password", secretWord).to("/account/second")
	b.post("/account/second", "code", b.code(m)).to("/")
	b.tick()
}

// audited returns what the audit of a tenant says, newest first.
func (s *stage) audited(tenant string) []subscribers.Audited {
	s.Helper()
	records, _, err := s.store.RecordsOf(s.Context(), subscribers.KindAudit, tenant, queue.Page{Limit: queue.MaxLimit})
	must(s.T, err)
	all := make([]subscribers.Audited, len(records))
	for i := range records {
		all[i], err = subscribers.AuditedOf(records[i])
		must(s.T, err)
	}
	return all
}
