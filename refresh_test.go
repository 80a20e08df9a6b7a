// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// secretNumber returns a secret, another one for each number.
func secretNumber(n byte) string {
	return "whsec_" + strings.Repeat(string('A'+n), 43) + "="
}

// Secrets and credentials in files are those that the files hold, without a reload;
// what cannot be used is told once, and the last good one stays.
func TestSecretFiles(t *testing.T) {
	every := filesEvery
	filesEvery = 10 * time.Millisecond
	t.Cleanup(func() { filesEvery = every })
	s := newStage(t)
	dir := t.TempDir()
	secret, token, log := filepath.Join(dir, "secret"), filepath.Join(dir, "token"), filepath.Join(dir, "log")
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan string, 100) // the number of the secret and the token of each delivery
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		number := "none"
		for n := range byte(5) {
			signer, err := standardwebhooks.NewWebhook(secretNumber(n))
			if err == nil && signer.Verify(body, r.Header) == nil {
				number = string('0' + n)
			}
		}
		got <- number + " " + r.Header.Get("Authorization")
	}))
	t.Cleanup(receiver.Close)
	config := strings.Replace(s.config("\nendpoint erp "+receiver.URL+" {\nsecret {file."+secret+"}\nauth bearer {file."+token+"}\n}", ""),
		"log {\n\t\tlevel ERROR", "log {\n\t\toutput file "+log+"\n\t\tlevel INFO", 1)
	n := 0
	expect := func(want string) {
		t.Helper()
		for deadline := time.Now().Add(testTimeout); ; {
			n++
			s.put("/items/1", `{"id":"1","n":`+strings.Repeat("1", n)+`}`)
			if delivered := <-got; delivered == want {
				return
			} else if time.Now().After(deadline) {
				t.Fatalf("delivered with %q, want %q", delivered, want)
			}
			<-s.events
		}
	}
	told := func(what string) int {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(text), what)
	}

	if err := s.load(config); err == nil || !strings.Contains(err.Error(), secret+": no such file") || strings.Contains(err.Error(), "is empty") {
		t.Errorf("without the file: %v", err)
	}
	write(secret, "\n")
	if err := s.load(config); err == nil || !strings.Contains(err.Error(), secret+" is empty") {
		t.Errorf("with an empty file: %v", err)
	}
	write(secret, secretNumber(0)+"\n")
	write(token, "first")
	s.mustLoad(config)
	expect("0 Bearer first")
	write(secret, secretNumber(1)+"\r\n")
	expect("1 Bearer first")
	write(token, "second")
	expect("1 Bearer second")

	// What is not usable leaves the last good one, and what else changes meanwhile
	// waits for it.
	for _, bad := range []string{"", "no secret", secretNumber(2)[:20]} {
		before := told("cannot be used")
		write(secret, bad)
		for deadline := time.Now().Add(testTimeout); told("cannot be used") == before && time.Now().Before(deadline); {
			time.Sleep(filesEvery) // the log of another goroutine
		}
		expect("1 Bearer second")
		if more := told("cannot be used") - before; more != 1 {
			t.Errorf("%q is told %d times", bad, more)
		}
	}
	if err := os.Remove(secret); err != nil {
		t.Fatal(err)
	}
	expect("1 Bearer second")
	write(secret, secretNumber(3))
	expect("3 Bearer second")
	if leaked := told("AAAA") + told("BBBB") + told("CCCC") + told("DDDD") + told("second"); leaked > 0 {
		t.Errorf("%d secrets are in the log", leaked)
	}

	// A configuration that has stopped reads no more.
	s.mustLoad(config)
	write(secret, secretNumber(4))
	expect("4 Bearer second")
}

// A file that is being written is left alone until it rests.
func TestFilesRest(t *testing.T) {
	name := filepath.Join(t.TempDir(), "secret")
	f := newFiles()
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	changed := func(want bool) {
		t.Helper()
		if got := f.changed(); len(got) > 0 != want {
			t.Errorf("changed: %q, want %t", got, want)
		}
	}
	f.note(name) // it is missing
	changed(false)
	put("a")
	changed(false)
	put("ab")
	changed(false)
	changed(true)
	f.note(name)
	changed(false)
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	changed(false)
	changed(true)
}

// An error about a file names it, and shows nothing of the text around it.
func TestFiller(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TEST_FILLED", "value")
	for text, want := range map[string]string{
		"{file." + dir + "/none}":        dir + "/none: no such file",
		"hidden-{file." + dir + "/none}": dir + "/none: no such file",
		"{file." + dir + "}":             dir + " is no regular file",
		"{file." + large + "}":           "is larger than",
		"{env.TEST_NOTHING}":             "set what the placeholder stands for",
		"hidden-{env.TEST_NOTHING}":      "a placeholder in it stands for nothing",
		"hidden-{env.TEST_FILLED}":       "",
	} {
		plain, err := fill(newFiller(nil), "secret", text)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden")) {
			t.Errorf("%s: %q, %v, want %q", text, plain, err, want)
		}
	}
}

// What `upstream` reads from a file is read for each Show, and files in PEM form are
// looked at like secrets.
func TestOtherFiles(t *testing.T) {
	s := newStage(t)
	token := filepath.Join(t.TempDir(), "token")
	shown := make(chan string, 100)
	serve := s.api.Config.Handler
	s.api.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			shown <- r.Header.Get("Authorization")
		}
		serve.ServeHTTP(w, r)
	})
	upstream := "upstream " + s.api.Listener.Addr().String()
	if err := os.WriteFile(token, []byte("first\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.mustLoad(strings.Replace(s.config("", ""), upstream, upstream+" {\nheader_up Authorization \"Bearer {file."+token+"}\"\n}", 1))
	for _, want := range []string{"first", "second"} {
		if err := os.WriteFile(token, []byte(want+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s.put("/items/1", `{"id":"1","state":"`+want+`"}`)
		s.expect("items.updated items/1")
		if got := <-shown; got != "Bearer "+want {
			t.Errorf("a Show is asked for with %q, want %q", got, want)
		}
	}

	f := newFiles()
	if _, err := pemText(newFiller(f), "ca", token); err != nil {
		t.Error(err)
	}
	if _, noted := f.used[token]; !noted {
		t.Error("a file in PEM form is not looked at again")
	}
	key := &App{SecretsKeys: []string{"{file." + token + "}"}, files: f}
	if _, err := key.secretsKeys(); err == nil || strings.Contains(err.Error(), "second") {
		t.Errorf("a key that is none: %v", err)
	}
}
