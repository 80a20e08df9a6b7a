// SPDX-License-Identifier: Apache-2.0

// Package printed runs every command that the README and docs/operations.md print, as
// they print it, against a real Caddy.
package printed

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
)

var binary string

func TestMain(m *testing.M) { lab.Main(m, &binary) }

// command is how a printed command is tried: what it prints, or why it is not run.
type command struct {
	// says is an expression for what it prints.
	says string
	// reason says why it is not run.
	reason string
	// stopped commands are run when Caddy has stopped.
	stopped bool
	// then is called when it has been run.
	then func(*stage)
}

// commands are those that the pages print, in the order in which they are run. Words in
// capitals and addresses are replaced, see [stage.replaced].
var commands = []struct {
	line string
	command
}{
	{"make", command{reason: "it prints the targets"}},
	{"caddy webhooks users", command{reason: "it is the beginning of a command; its own tests run it"}},
	{"caddy webhooks keys delete ID", command{reason: "ID stands for one; its own tests run it"}},
	{"caddy webhooks audit", command{reason: "its own tests run it"}},
	{"caddy webhooks keys list TENANT", command{reason: "TENANT stands for one; its own tests run it"}},
	{"caddy webhooks keys add TENANT", command{reason: "TENANT stands for one; its own tests run it"}},
	{"caddy webhooks endpoints TENANT", command{reason: "TENANT stands for one; its own tests run it"}},
	{"caddy webhooks endpoints add TENANT", command{reason: "TENANT stands for one; its own tests run it"}},
	{"caddy webhooks endpoints change ID", command{reason: "ID stands for one; its own tests run it"}},
	{"caddy webhooks endpoints disable ID", command{reason: "ID stands for one; its own tests run it"}},
	{"caddy webhooks endpoints rotate ID", command{reason: "ID stands for one; its own tests run it"}},
	{"caddy webhooks endpoints delete ID", command{reason: "ID stands for one; its own tests run it"}},
	{"caddy webhooks snapshots start ID", command{reason: "ID stands for one; its own tests run it"}},
	{"caddy webhooks trigger ENDPOINT TYPE", command{reason: "the words stand for others; its own tests run it"}},
	{"caddy webhooks pause", command{reason: "it is the beginning of a command; its own tests run it"}},
	{"caddy webhooks tail", command{reason: "it ends when it is interrupted; its own tests run it"}},
	{"caddy webhooks listen", command{reason: "it ends when it is interrupted; e2e/receivers runs it"}},
	{"GET /webhooks/feed?after=POSITION&limit=50&wait=30s", command{reason: "POSITION stands for one; its own tests ask for it"}},
	{"make run", command{reason: "it takes fixed ports; examples/demo tests it"}},
	{"make test", command{reason: "it runs this"}},
	{"make build", command{reason: "make test has done it"}},
	{"docker build .", command{reason: "it downloads images"}},
	{"bin/caddy", command{reason: "it is the program"}},
	{"xcaddy", command{reason: "it is the program"}},
	{"xcaddy build", command{reason: "it downloads modules"}},
	{"xcaddy build v2.11.9 --with github.com/caddy-webhooks/caddy-webhooks", command{reason: "the module is not published yet"}},
	{"xcaddy build v2.11.9 --with github.com/caddy-webhooks/caddy-webhooks@v0.0.0=.", command{reason: "it downloads modules"}},
	{
		`curl -i -H 'Content-Type: application/json' -d '{"items":{"id":"bicycle-1","name":"Bicycle","amount":12500}}' http://localhost:8080/items`,
		command{says: `HTTP/1.1 201 Created`, then: func(s *stage) { s.told("items.created items/bicycle-1") }},
	},
	{
		`curl -i -X PATCH http://localhost:8080/items/bicycle-1/make_payment`,
		command{says: `HTTP/1.1 200 OK`, then: func(s *stage) { s.told("items.updated items/bicycle-1") }},
	},
	{"bin/caddy webhooks deliveries", command{says: `items\.created.*items/bicycle-1`}},
	{"bin/caddy webhooks coverage", command{says: `matched a rule|matched no rule`}},
	{"caddy webhooks", command{says: `deliveries`}},
	{"caddy webhooks status", command{says: `health +ok`}},
	{"caddy webhooks coverage", command{says: `wait for reconciling: \d`}},
	{"caddy webhooks deliveries --endpoint erp --status dead", command{says: `ENDPOINT`}},
	{"caddy webhooks endpoints", command{says: `ENDPOINT +STATUS`}},
	{"caddy webhooks tenants", command{says: `(?s)TENANT.*\(no tenant\)`}},
	{"caddy webhooks snapshots", command{says: `ENDPOINT +STATE`}},
	{"caddy completion --help", command{says: `bash`}},
	{"caddy webhooks marks", command{says: `OBJECT`}},
	{"caddy webhooks unresolved", command{says: `POST /items`}},
	{"caddy webhooks dismiss ID", command{says: `1 record forgotten`}},
	{"caddy webhooks look items/42", command{says: `items/42 is as it was known`}},
	{"caddy webhooks look OBJECT", command{reason: "it is printed with an object elsewhere"}},
	{"caddy webhooks list items", command{says: `items is listed: 2 objects`}},
	{"caddy webhooks queue stats", command{says: `queue +open`}},
	{"caddy webhooks queue backup", command{reason: "it is the beginning of a command that is printed with its file elsewhere"}},
	{"caddy webhooks queue backup /backup/full", command{says: `/full: \d+ rows`}},
	{"caddy webhooks queue backup --after /backup/full /backup/monday", command{says: `/monday: \d+ rows`}},
	{"caddy webhooks queue backup --after /backup/monday /backup/tuesday", command{says: `/tuesday: \d+ rows`}},
	{"caddy webhooks queue verify /backup/full /backup/monday /backup/tuesday", command{says: `(?s)/full: whole.*/monday: whole.*/tuesday: whole`}},
	{"caddy adapt", command{says: `"handler":"webhooks"`}},
	{"caddy adapt --config Caddyfile --pretty", command{says: `"handler": "webhooks"`}},
	{"caddy validate", command{says: `Valid configuration`}},
	{"caddy reload", command{says: ``}},
	{`echo "whsec_$(openssl rand -base64 32)"`, command{says: `^whsec_[A-Za-z0-9+/]{43}=\n$`}},
	{"openssl rand -base64 32", command{says: `^[A-Za-z0-9+/]{43}=\n$`}},
	{"caddy webhooks queue verify --dir DIR/set-aside-TIME", command{stopped: true, says: `: whole; `}},
	{"caddy webhooks queue restore --dir DIR FULL [INCREMENTAL...]", command{stopped: true, says: `rows are in `}},
	{"caddy webhooks queue restore --dir DIR --salvage DIR/set-aside-TIME", command{stopped: true, says: `rows are in `}},
	{"caddy webhooks queue restore --dir DIR --empty", command{stopped: true, says: `an empty queue is in `}},
	{"GET localhost:2019/webhooks/status", command{says: `"durability"`}},
	{"GET localhost:2019/webhooks/health", command{says: `"status":"ok"`}},
	{"GET localhost:2019/webhooks/events", command{says: `"items"`}},
	{"GET localhost:2019/webhooks/deliveries", command{says: `"items"`}},
	{"GET localhost:2019/webhooks/attempts", command{says: `"items"`}},
	{"GET localhost:2019/webhooks/marks", command{says: `"items"`}},
	{"GET localhost:2019/webhooks/unresolved", command{says: `"items"`}},
	{"GET localhost:2019/webhooks/coverage", command{says: `"unmatched"`}},
	{"GET /webhooks/endpoints", command{says: `"items"`}},
	{"GET /webhooks/status", command{says: `"shows"`}},
	{"GET /webhooks/configuration", command{says: `"secrets":\["\{env.WEBHOOK_SECRET\}"\]`}},
	{"GET /webhooks/health", command{says: `"status":"ok"`}},
	{"GET /items/42", command{reason: "it is a request to an API, as the text has it"}},
	{"GET /items/:id", command{reason: "it is a request to an API, as the text has it"}},
}

// printedCommand finds the first words of what people type.
var printedCommand = regexp.MustCompile(`^(caddy|bin/caddy|make|curl|xcaddy|docker|openssl|echo|GET|systemctl)( |$)`)

// printed returns the commands of a page: the lines of its fenced blocks, and what
// stands as code in its text.
func printed(t *testing.T, page string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", page))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	add := func(line string) {
		if line = strings.Join(strings.Fields(line), " "); printedCommand.MatchString(line) {
			found = append(found, line)
		}
	}
	blocks := regexp.MustCompile("(?ms)^```.*?^```$")
	for _, block := range blocks.FindAllString(string(text), -1) {
		for line := range strings.Lines(block) {
			add(line)
		}
	}
	code := regexp.MustCompile("`([^`]+)`")
	for _, inline := range code.FindAllStringSubmatch(blocks.ReplaceAllString(string(text), ""), -1) {
		add(inline[1])
	}
	return found
}

// pages are those whose commands are run.
var pages = []string{"README.md", "docs/operations.md"}

// Every command that a page prints is run, or there is a reason not to; and what is
// run is printed.
func TestEveryCommandIsKnown(t *testing.T) {
	known := make(map[string]bool)
	for _, c := range commands {
		known[c.line] = true
		if c.reason == "" == (c.says == "") && c.line != "caddy reload" {
			t.Errorf("%s: say what it prints, or why it is not run", c.line)
		}
	}
	for _, page := range pages {
		for _, line := range printed(t, page) {
			if !known[line] {
				t.Errorf("%s prints a command that is not run: %s", page, line)
			}
		}
	}
}

// stage is a Caddy between a small API and a receiver, and where commands are run.
type stage struct {
	t     *testing.T
	caddy *lab.Caddy
	// dir is the working directory, with a Caddyfile and bin/caddy.
	dir string
	// restored counts the directories that queues were restored to.
	restored int
	events   chan string
}

// The commands do what the pages say, in their order.
func TestCommands(t *testing.T) {
	for _, program := range []string{"curl", "openssl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("NOT TESTED: there is no %s here", program)
		}
	}
	s := newStage(t)
	for _, stopped := range []bool{false, true} {
		for _, c := range commands {
			if c.reason != "" || c.stopped != stopped {
				continue
			}
			s.try(c.line, c.command)
		}
		if !stopped {
			s.caddy.Stop(t)
		}
	}
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir(), events: make(chan string, 100)}
	api, receiver := httptest.NewServer(newAPI()), httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		s.events <- r.Header.Get("Webhook-Event") + " " + r.Header.Get("Webhook-Object")
	}))
	t.Cleanup(api.Close)
	t.Cleanup(receiver.Close)
	t.Setenv("WEBHOOK_SECRET", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	s.caddy = lab.New(t, binary, lab.NewAPI(t), lab.NewReceiver(t), filepath.Join(s.dir, "queue"))
	example, err := os.ReadFile("../../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	s.caddy.Config = strings.NewReplacer(
		"./data/webhooks", "$QUEUE", "http://localhost:8080", "http://$SITE", "127.0.0.1:9000", api.Listener.Addr().String(),
		"http://127.0.0.1:9001", receiver.URL, "level WARN\n\t}\n", "level INFO\n\t}\n\tadmin $ADMIN\n\tpersist_config off\n",
		"\t\tegress {", "\t\tendpoint erp "+receiver.URL+"/erp {\n\t\t\tevents users.*\n\t\t\tsecret {env.WEBHOOK_SECRET}\n\t\t}\n\t\tegress {",
		"resource items {", "resource items {\n\t\t\tlist GET /items items.#.id",
	).Replace(string(example))
	s.caddy.Start(t)
	config, err := os.ReadFile(s.caddy.WriteConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, link := range map[string]string{"bin/caddy": binary, "path/caddy": binary} {
		if err := os.MkdirAll(filepath.Join(s.dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if link, err = filepath.Abs(link); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(link, filepath.Join(s.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(s.dir, "Caddyfile"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(s.dir, "backup"), 0o700); err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]int{`{"items":{"id":"42"}}`: http.StatusCreated, `{"items":{}}`: http.StatusCreated} {
		if status, err := s.caddy.Do(t.Context(), "POST", "/items", body); err != nil || status != want {
			t.Fatalf("%s: %d, %v", body, status, err)
		}
	}
	s.told("items.created items/42")
	return s
}

// try runs a command, and compares what it prints.
func (s *stage) try(line string, c command) {
	s.t.Helper()
	replaced := s.replaced(line)
	if path, ok := strings.CutPrefix(replaced, "GET "); ok {
		replaced = "curl -s http://" + path
	}
	said, errors, err := s.run(replaced)
	if strings.HasPrefix(line, "caddy validate") {
		said += errors
	}
	if err != nil || !regexp.MustCompile(c.says).MatchString(said) {
		s.t.Errorf("%s: %v\n%s%s\nwant %s", replaced, err, said, errors, c.says)
		return
	}
	if c.then != nil {
		c.then(s)
	}
}

// run runs a command as a shell does.
func (s *stage) run(line string) (printed, errors string, err error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "/bin/sh", "-c", line) //nolint:gosec // a command of our own pages
	shell.Dir = s.dir
	shell.Env = append(os.Environ(), "PATH="+filepath.Join(s.dir, "path")+":"+os.Getenv("PATH"), "HOME="+s.dir, "CADDY_ADMIN="+s.caddy.Admin())
	var told strings.Builder
	shell.Stderr = &told
	output, err := shell.Output()
	return string(output), told.String(), err
}

// replaced returns a command with the directories and addresses of the stage, and
// with something for each word in capitals.
func (s *stage) replaced(line string) string {
	fresh := s.dir + "/queue"
	if strings.Contains(line, " restore ") {
		s.restored++
		fresh = fmt.Sprintf("%s/restored-%d", s.dir, s.restored)
	}
	backup := s.dir + "/backup"
	return strings.NewReplacer(
		"DIR/set-aside-TIME", s.dir+"/queue", "DIR", fresh, "FULL [INCREMENTAL...]", backup+"/full "+backup+"/monday "+backup+"/tuesday",
		" ID", " "+s.unresolved(line), "/backup/", backup+"/", "localhost:8080", s.caddy.Site(), "localhost:2019", s.caddy.Admin(),
		"GET /webhooks", "GET "+s.caddy.Admin()+"/webhooks",
	).Replace(line)
}

// unresolved returns the id of an unresolved record, where a command takes one.
func (s *stage) unresolved(line string) string {
	if !strings.HasSuffix(line, " ID") {
		return ""
	}
	var page struct {
		Items []struct {
			ID uint64 `json:"id"`
		} `json:"items"`
	}
	if err := s.caddy.Ask("/webhooks/unresolved", &page); err != nil || len(page.Items) == 0 {
		s.t.Fatalf("there is no unresolved record: %v", err)
	}
	return fmt.Sprint(page.Items[0].ID)
}

// told waits for an event.
func (s *stage) told(want string) {
	s.t.Helper()
	timeout := time.After(2 * time.Minute)
	for {
		select {
		case got := <-s.events:
			if got == want {
				return
			}
		case <-timeout:
			s.t.Fatalf("%s was not told of\n%s", want, s.caddy.Tail())
		}
	}
}

// What is wrong on the command line is told in plain text, and ends with a status that
// says so; so does what the admin endpoint refuses, and that there is none.
func TestRefusals(t *testing.T) {
	s := newStage(t)
	off := filepath.Join(s.dir, "off.Caddyfile")
	if err := os.WriteFile(off, []byte("{\n\tadmin off\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"caddy webhooks foo":                                    `there is no command "foo" in caddy webhooks`,
		"caddy webhooks queue foo":                              `there is no command "foo" in caddy webhooks queue`,
		"caddy webhooks status now":                             `unknown command "now"`,
		"caddy webhooks deliveries --endpoint nope":             `there is no endpoint "nope"; there are demo, erp`,
		"caddy webhooks cancel --endpoint nope --yes":           `there is no endpoint "nope"`,
		"caddy webhooks pause nope":                             "there is no endpoint of that name: nope",
		"caddy webhooks events --type items.creatd":             `no rule makes events of the type "items.creatd"`,
		"caddy webhooks resend evt_nope":                        "there is no event evt_nope",
		`caddy webhooks cancel --yes --type x --object "$NONE"`: "--object is empty",
		"caddy webhooks look itms/1":                            `there is no resource "itms"`,
		"caddy webhooks dismiss --before tonight":               `"tonight" is not a time`,
		"caddy webhooks status --address 127.0.0.1:1":           "no Caddy answers at 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused",
		"caddy webhooks status --config " + off:                 "has no admin endpoint (`admin off`)",
		"caddy webhooks queue verify --config Caddyfile":        "has " + s.dir + "/queue open",
		"caddy webhooks queue verify --dir " + s.dir + "/none":  "there is no queue in " + s.dir + "/none",
	} {
		printed, errors, err := s.run(line)
		if err == nil || !strings.Contains(errors, "Error: ") || !strings.Contains(errors, want) || strings.Contains(errors, `"level":"error"`) {
			t.Errorf("%s: %v\n%s%s\nwant %s", line, err, printed, errors, want)
		}
	}
}

// newAPI returns an API as small as its part in the README: it makes items, takes
// payments, and shows and lists what there is.
func newAPI() http.Handler {
	var mu sync.Mutex
	items, order := map[string]string{}, []string{}
	show := func(id string) string {
		return fmt.Sprintf(`{"items":{"id":%q,"state":%q,"updated_at":%d}}`, id, items[id], len(items[id]))
	}
	id := regexp.MustCompile(`"id":"([^"]+)"`)
	mux := http.NewServeMux()
	handle := func(pattern string, answer func(r *http.Request, body string) (int, string)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			mu.Lock()
			defer mu.Unlock()
			status, text := answer(r, string(body))
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		})
	}
	handle("POST /items", func(_ *http.Request, body string) (int, string) {
		named := id.FindStringSubmatch(body)
		if named == nil {
			return http.StatusCreated, `{"items":{}}`
		}
		items[named[1]], order = "new", append(order, named[1])
		return http.StatusCreated, show(named[1])
	})
	handle("PATCH /items/{id}/make_payment", func(r *http.Request, _ string) (int, string) {
		items[r.PathValue("id")] = "completed"
		return http.StatusOK, show(r.PathValue("id"))
	})
	handle("GET /items/{id}", func(r *http.Request, _ string) (int, string) {
		if items[r.PathValue("id")] == "" {
			return http.StatusNotFound, "{}"
		}
		return http.StatusOK, show(r.PathValue("id"))
	})
	handle("GET /items", func(*http.Request, string) (int, string) {
		var all []string
		for _, id := range order {
			all = append(all, fmt.Sprintf(`{"id":%q}`, id))
		}
		return http.StatusOK, `{"items":[` + strings.Join(all, ",") + `]}`
	})
	return mux
}
