// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/receiver"
)

const (
	listenSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	otherSecret  = "whsec_BBECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

// sent is a delivery that a test makes.
type sent struct {
	id, kind, object, op string
	sequence             uint64
	body                 string
	secret               string        // "": not signed
	ago                  time.Duration // since it was sent
	swapped              string        // an object that it says instead, once it is signed
}

// request returns the delivery as it is sent: webhook-id commits to the headers.
func (d *sent) request(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(d.body))
	if err != nil {
		t.Fatal(err)
	}
	number := ""
	if d.sequence > 0 {
		number = strconv.FormatUint(d.sequence, 10)
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{d.id, d.kind, d.object, number, d.op, "", ""}, "\n")))
	hash := base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding).EncodeToString(sum[:])[:26]
	id, stamp := d.id+"_"+hash, strconv.FormatInt(time.Now().Add(-d.ago).Unix(), 10)
	for name, value := range map[string]string{
		"webhook-id": id, "webhook-timestamp": stamp, "webhook-event": d.kind, "webhook-object": d.object, "webhook-sequence": number,
		"webhook-op": d.op, "authorization": "Bearer tok_very_secret",
	} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	if d.secret != "" {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(d.secret, "whsec_"))
		if err != nil {
			t.Fatal(err)
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + stamp + "." + d.body))
		r.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if d.swapped != "" {
		r.Header.Set("webhook-object", d.swapped)
	}
	return r
}

// created is a delivery as it should be.
func created(sequence uint64) *sent {
	return &sent{
		id: fmt.Sprintf("evt_%d", sequence), kind: "items.updated", object: "items/1", op: "change", sequence: sequence,
		body: `{"id":1,"name":"Bicycle"}`, secret: listenSecret,
	}
}

// output is what a command prints while it runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newOutput() *output { return &output{more: make(chan struct{}, 1000)} }

func (o *output) Write(text []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer func() { o.more <- struct{}{} }()
	return o.text.Write(text)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await waits until a text has come, and returns what the expression found.
func (o *output) await(t *testing.T, expression string) []string {
	t.Helper()
	timeout := time.After(2 * time.Minute)
	for {
		if found := regexp.MustCompile(expression).FindStringSubmatch(o.String()); found != nil {
			return found
		}
		select {
		case <-o.more:
		case <-timeout:
			t.Fatalf("%q did not come; there is %q", expression, o)
		}
	}
}

// listening is a `caddy webhooks listen` that runs.
type listening struct {
	t          *testing.T
	url        string
	out, notes *output
	stop       context.CancelFunc
	ended      chan error
}

// newListening runs it on a port that is free.
func newListening(t *testing.T, args ...string) *listening {
	t.Helper()
	t.Setenv(secretVariable, "")
	l := &listening{t: t, out: newOutput(), notes: newOutput(), ended: make(chan error, 1)}
	var ctx context.Context
	ctx, l.stop = context.WithCancel(t.Context())
	t.Cleanup(l.stop)
	root := newListenRoot(l.out, l.notes, append([]string{"--address", "127.0.0.1:0"}, args...)...)
	go func() { l.ended <- root.ExecuteContext(ctx) }()
	l.url = l.notes.await(t, `Listening on (http://\S+)\. Ctrl-C ends it\.\n`)[1]
	return l
}

func newListenRoot(out, notes io.Writer, args ...string) *cobra.Command {
	root := newRoot()
	root.SetOut(out)
	root.SetErr(notes)
	root.SetArgs(append([]string{"webhooks", "listen"}, args...))
	return root
}

// send sends a delivery, and returns the status of the answer and its text.
func (l *listening) send(r *http.Request) (int, string) {
	l.t.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		l.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// end ends it, and returns what was printed.
func (l *listening) end() string {
	l.t.Helper()
	l.stop()
	if err := <-l.ended; err != nil {
		l.t.Error(err)
	}
	return l.out.String()
}

// Each delivery is verified, printed, and answered as a good receiver does.
func TestListen(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(otherSecret+"\n"+listenSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := newListening(t, "--secret-file", secret)
	deliveries := []struct {
		sent   *sent
		answer int
		line   string
	}{
		{created(1), 204, "items.updated  items/1  #1  change  verified  first  answered 204"},
		{created(2), 204, "items.updated  items/1  #2  change  verified  next  answered 204"},
		{created(2), 204, "items.updated  items/1  #2  change  verified  repeat  answered 204"},
		{created(5), 204, "items.updated  items/1  #5  change  verified  gap of 2  answered 204"},
		{created(3), 204, "items.updated  items/1  #3  change  verified  late  answered 204"},
		{created(6), 204, "items.updated  items/1  #6  change  verified  next  answered 204"},
		{&sent{id: "evt_7a", kind: "items.paid", object: "items/1", op: "change", sequence: 6, secret: otherSecret}, 204, "items.paid  items/1  #6  change  verified  rewound  answered 204"},
		{&sent{id: "evt_8a", kind: "items.snapshot", object: "items/1", op: "snapshot", sequence: 4, secret: listenSecret}, 204, "items.snapshot  items/1  #4  snapshot  verified  outdated  answered 204"},
		{&sent{id: "evt_9a", kind: "items.snapshot", object: "items/1", op: "snapshot", sequence: 8, secret: listenSecret}, 204, "items.snapshot  items/1  #8  snapshot  verified  next  answered 204"},
		{&sent{id: "evt_test", op: "test", body: `{"test":true}`, secret: listenSecret}, 204, "-  -  -  test  verified  -  answered 204"},
		{&sent{id: "evt_forged", kind: "items.paid", object: "items/1", op: "change", sequence: 7, secret: "whsec_CCECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}, 401, "items.paid  items/1  -  -  refused: no signature of the webhook is right  -  answered 401"},
		{&sent{id: "evt_old", kind: "items.paid", object: "items/1", op: "change", sequence: 7, secret: listenSecret, ago: time.Hour}, 401, "items.paid  items/1  -  -  refused: the webhook was not sent just now  -  answered 401"},
		{&sent{id: "evt_swap", kind: "items.paid", object: "items/1", op: "change", sequence: 7, secret: listenSecret, swapped: "items/2"}, 401, "items.paid  items/2  -  -  refused: the webhook's headers are not those that were signed  -  answered 401"},
		{&sent{id: "evt_un", kind: "items.paid", object: "items/1"}, 401, "items.paid  items/1  -  -  refused: the headers of a webhook are missing or malformed  -  answered 401"},
		{created(9), 204, "items.updated  items/1  #9  change  verified  next  answered 204"},
	}
	for _, d := range deliveries {
		if status, _ := l.send(d.sent.request(t, l.url)); status != d.answer {
			t.Errorf("%s: answered %d, want %d", d.line, status, d.answer)
		}
	}
	lines := strings.Split(strings.TrimSuffix(l.end(), "\n"), "\n")
	if len(lines) != len(deliveries) {
		t.Fatalf("printed %d lines, want %d:\n%s", len(lines), len(deliveries), strings.Join(lines, "\n"))
	}
	for i, d := range deliveries {
		if got := lines[i][len(clockLayout)+len(gutter):]; got != d.line {
			t.Errorf("printed\n%s, want\n%s", got, d.line)
		}
	}
}

// Without a secret it says of each delivery that it is not verified, and of none that
// it is.
func TestListenWithoutSecret(t *testing.T) {
	l := newListening(t, "--body")
	l.notes.await(t, `There is no secret, so nothing is verified`)
	hostile := &sent{id: "evt_1", kind: "items.paid", object: "items/\u009b31m", sequence: 1, body: "{\"a\":\"\u009b2J\"}"}
	if status, _ := l.send(hostile.request(t, l.url)); status != http.StatusNoContent {
		t.Errorf("answered %d", status)
	}
	l.send((&sent{id: "evt_2", kind: "items.paid", object: "items/1", sequence: 1, body: "two\nlines\x1b[2J"}).request(t, l.url))
	l.send((&sent{id: "evt_3", body: "\xff\xfe"}).request(t, l.url))
	printed := l.end()
	for _, want := range []string{
		"  items.paid  items/ 31m  #1  -  not verified  first  answered 204\n    {\n      \"a\": \" 2J\"\n    }\n", "    two\n    lines [2J\n", "    //4=\n",
	} {
		if !strings.Contains(printed, want) {
			t.Errorf("did not print %q:\n%q", want, printed)
		}
	}
	if strings.ContainsAny(printed, "\x1b\u009b\r") || strings.Contains(printed, "  verified") || strings.Contains(printed, "tok_very_secret") {
		t.Errorf("printed %q", printed)
	}
}

// With --json each delivery is JSON on a line, with the payload if it is asked for, and
// no line acts on a terminal.
func TestListenJSON(t *testing.T) {
	for _, body := range []bool{false, true} {
		args := []string{"--json", "--secret", listenSecret}
		if body {
			args = append(args, "--body")
		}
		l := newListening(t, args...)
		hostile := created(1)
		hostile.body = "{ \"n\": 9007199254740993,\n\"a\": \"\u009b\U000e0001\u200b\" }"
		text, binary := created(4), created(5)
		text.body, binary.body = "plain", "\xff"
		for _, d := range []*sent{hostile, text, binary, {id: "evt_un"}} {
			l.send(d.request(t, l.url))
		}
		printed := l.end()
		if strings.ContainsAny(printed, "\u009b\U000e0001\u200b") || strings.Contains(printed, "tok_very_secret") {
			t.Errorf("printed %q", printed)
		}
		lines := strings.Split(strings.TrimSpace(printed), "\n")
		if len(lines) != 4 {
			t.Fatalf("printed %q", printed)
		}
		wanted := []string{`"verdict":"verified","order":"first","answer":204`, `"order":"gap","missing":2,"answer":204`, `"sequence":5`, `"verdict":"refused","reason":"the headers`}
		if body {
			wanted[0] += `,"body":{"n":9007199254740993,"a":"\u009b\udb40\udc01\u200b"}`
			wanted[1] += `,"body":"plain"`
			wanted[2] = `"answer":204,"body_base64":"/w=="`
		}
		for i, line := range lines {
			var d map[string]any
			if err := json.Unmarshal([]byte(line), &d); err != nil || !strings.Contains(line, wanted[i]) {
				t.Errorf("%v, printed %s, want %s", err, line, wanted[i])
			}
			if _, has := d["body"]; has && !body {
				t.Errorf("printed a payload: %s", line)
			}
		}
	}
}

// What is verified is sent on as it came, and what that answers is the answer; what is
// refused is not sent on.
func TestListenForward(t *testing.T) {
	type got struct{ path, body, secret, signature, upgrade string }
	var mu sync.Mutex
	var all []got
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		all = append(all, got{r.Method + " " + r.URL.String(), string(body), r.Header.Get("Authorization"), r.Header.Get("Webhook-Signature"), r.Header.Get("Upgrade")})
		mu.Unlock()
		w.Header().Set("Retry-After", "7")
		switch r.Header.Get("Webhook-Sequence") {
		case "3":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case "4":
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "busy")
		}
	}))
	t.Cleanup(program.Close)
	l := newListening(t, "--secret", listenSecret, "--forward", program.URL+"/hooks?a=1")
	first := created(1).request(t, l.url+"ignored")
	first.Header.Set("Connection", "Upgrade")
	first.Header.Set("Upgrade", "websocket")
	if status, text := l.send(first); status != http.StatusServiceUnavailable || text != "busy" {
		t.Errorf("answered %d %s", status, text)
	}
	forged := created(2)
	forged.secret = otherSecret
	if status, _ := l.send(forged.request(t, l.url)); status != http.StatusUnauthorized {
		t.Errorf("answered %d", status)
	}
	redirected, err := http.DefaultTransport.RoundTrip(created(3).request(t, l.url))
	if err != nil {
		t.Fatal(err)
	}
	redirected.Body.Close()
	if redirected.StatusCode != http.StatusFound {
		t.Errorf("answered %d", redirected.StatusCode)
	}
	if broken, err := http.DefaultClient.Do(created(4).request(t, l.url)); err == nil {
		if _, err := io.ReadAll(broken.Body); err == nil {
			t.Error("half an answer passed for a whole one")
		}
		broken.Body.Close()
	}
	program.Close()
	if status, text := l.send(created(5).request(t, l.url)); status != http.StatusBadGateway || strings.Contains(text, "refused") {
		t.Errorf("answered %d %s", status, text)
	}
	printed := l.end()
	for _, want := range []string{
		"#1  change  verified  first  answered 503\n", "refused: no signature of the webhook is right  -  answered 401\n", "#3  change  verified  gap of 1  answered 302\n",
		"verified: forwarding: the answer broke off  next  answered 200\n", "verified: forwarding: dial tcp", "next  answered 502\n",
	} {
		if !strings.Contains(printed, want) {
			t.Errorf("did not print %q:\n%s", want, printed)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(all) != 3 {
		t.Fatalf("sent on %+v", all)
	}
	if g := all[0]; g.path != "POST /hooks?a=1" || g.body != created(1).body || g.secret != "Bearer tok_very_secret" || !strings.HasPrefix(g.signature, "v1,") || g.upgrade != "" {
		t.Errorf("sent on %+v", g)
	}
}

// What is no delivery is refused as it is by a good receiver.
func TestListenRefuses(t *testing.T) {
	l := newListening(t)
	get, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	large := &sent{id: "evt_1", body: strings.Repeat(" ", receiver.DefaultMaxBody+1)}
	for request, want := range map[*http.Request]int{get: http.StatusMethodNotAllowed, large.request(t, l.url): http.StatusRequestEntityTooLarge} {
		if status, _ := l.send(request); status != want {
			t.Errorf("%s: answered %d, want %d", request.Method, status, want)
		}
	}
	long := &sent{id: "evt_1", kind: strings.Repeat("é", maxShort), body: "{}"}
	l.send(long.request(t, l.url))
	printed := l.end()
	if !strings.Contains(printed, "refused: webhooks are sent by POST, and this was GET  -  answered 405\n") || !strings.Contains(printed, "answered 413\n") ||
		len(printed) > 2*maxShort || !strings.Contains(printed, "…  -") {
		t.Errorf("printed %s", printed)
	}
}

// What it cannot begin with is refused, and no error tells a secret.
func TestListenBadFlags(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"empty": "\n", "odd": "password123\n", "large": strings.Repeat(listenSecret+"\n", 2000)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for args, want := range map[string]string{
		"--secret password123":                                "copy it as it was shown when the endpoint was made",
		"--secret whsk_password123":                           "a receiver needs its public one",
		"--secret-file " + dir + "/odd":                       "a secret must be whsec_",
		"--secret-file " + dir + "/empty":                     "it has one on each line, as whsec_",
		"--secret-file " + dir + "/large":                     "it has one on each line, as whsec_",
		"--secret-file " + dir + "/none":                      "reading --secret-file",
		"--secret " + listenSecret + " --secret-file x":       "both there; name one of them",
		"--forward localhost:3000":                            "write it whole, as http://localhost:3000/hooks",
		"--forward http://u:password123@localhost":            "leave them out",
		"--forward http://%zzpassword123":                     "write it whole",
		"--address nowhere":                                   "name an address of this machine that is free",
		"--config x":                                          "--config means nothing here: this command asks no Caddy",
		"extra":                                               "unknown command",
		"--secret " + listenSecret + " --address 192.0.2.1:1": "name an address",
	} {
		t.Setenv(secretVariable, "")
		// What is not refused would listen for ever.
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		err := newListenRoot(io.Discard, io.Discard, strings.Fields(args)...).ExecuteContext(ctx)
		cancel()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "password123") || strings.Contains(err.Error(), "AAECAw") {
			t.Errorf("%s: %v, want %s", args, err, want)
		}
	}
}

// It takes the secret of the environment, and ends with success when it is interrupted.
func TestListenInterrupted(t *testing.T) {
	t.Setenv(secretVariable, listenSecret)
	out, notes, ended := newOutput(), newOutput(), make(chan error, 1)
	go func() { ended <- newListenRoot(out, notes, "--address", "127.0.0.1:0").ExecuteContext(t.Context()) }()
	url := notes.await(t, `Listening on (http://\S+)\. `)[1]
	response, err := http.DefaultClient.Do(created(1).request(t, url))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil || !strings.Contains(out.String(), "  verified  ") {
		t.Errorf("%v, printed %s", err, out)
	}
}

// No more connections are served at once than it has room for; what comes then waits.
func TestListenIsBounded(t *testing.T) {
	l := newListening(t)
	address := strings.TrimSuffix(strings.TrimPrefix(l.url, "http://"), "/")
	dial := func() net.Conn {
		var dialer net.Dialer
		conn, err := dialer.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	var held []net.Conn
	for range maxListening {
		held = append(held, dial())
	}
	last := dial()
	if _, err := io.WriteString(last, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, len("HTTP/1.1 405"))
	// A machine that is slow makes this no stricter.
	_ = last.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	if n, err := last.Read(answer); err == nil {
		t.Errorf("one more was answered: %s", answer[:n])
	}
	_ = held[0].Close()
	_ = last.SetReadDeadline(time.Now().Add(2 * time.Minute))
	if _, err := io.ReadFull(last, answer); err != nil || string(answer) != "HTTP/1.1 405" {
		t.Errorf("%v, answered %q", err, answer)
	}
	for _, conn := range append(held, last) {
		_ = conn.Close()
	}
	l.end()
}

// An output that takes no more ends it, with an error.
func TestListenNotPrinted(t *testing.T) {
	t.Setenv(secretVariable, "")
	notes, ended := newOutput(), make(chan error, 1)
	go func() {
		ended <- newListenRoot(fullDisk{}, notes, "--address", "127.0.0.1:0").ExecuteContext(t.Context())
	}()
	url := notes.await(t, `Listening on (http://\S+)\. `)[1]
	response, err := http.DefaultClient.Do((&sent{id: "evt_1"}).request(t, url))
	if err == nil {
		response.Body.Close()
	}
	if err := <-ended; !errors.Is(err, errFull) {
		t.Error(err)
	}
}
