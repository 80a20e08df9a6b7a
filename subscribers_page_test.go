// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The names that the page uses for this API and for its reader's receiver.
const (
	pageAPI      = "https://api.example.com"
	pageReceiver = "https://erp.example.com"
)

// subscriber is the reader of the page for subscribers, who types what it says.
type subscriber struct {
	*stage
	receiver  *httptest.Server
	variables map[string]string
	// given are the values that the page only hints at, and readers have before.
	given map[string]string
	last  shownMatch

	mu sync.Mutex
	// status and word are what the receiver answers.
	status int
	word   string
}

// Each request of the page for subscribers gets the answer that the page shows.
func TestSubscribersPage(t *testing.T) {
	steps, err := consoleSteps(pageText(t, "docs/subscribers.md"))
	if err != nil {
		t.Fatal(err)
	}
	r := newSubscriber(t)
	requests := 0
	for _, step := range steps {
		if strings.HasPrefix(step.command, "curl ") {
			requests++
		}
		if err := r.do(step); err != nil {
			t.Fatalf("docs/subscribers.md:%d: %s%s: %v", step.line, step.command, step.meanwhile, err)
		}
	}
	if requests < 30 {
		t.Errorf("the page has %d requests", requests)
	}
}

func newSubscriber(t *testing.T) *subscriber {
	t.Helper()
	r := &subscriber{stage: newStage(t), variables: map[string]string{}, status: http.StatusNoContent}
	r.receiver = httptest.NewServer(http.HandlerFunc(r.receive))
	t.Cleanup(r.receiver.Close)
	text := r.config("", "}\nhandle_path /webhooks/* {\nwebhooks_api")
	r.mustLoad(strings.Replace(text, "resource items\n", "resource items {\ntenant seller\n}\n", 1))
	r.putUntil("/items/1", "items.updated items/1")
	created, err := http.Post("http://"+r.admin+"/webhooks/keys?tenant=acme&name=erp", "", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	defer created.Body.Close()
	var key struct{ Key string }
	if err := json.NewDecoder(created.Body).Decode(&key); err != nil {
		t.Fatal(err)
	}
	r.given = map[string]string{"KEY": key.Key}
	return r
}

// receive is the reader's receiver.
func (s *subscriber) receive(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.word != "" {
		w.Header().Set("Webhook-Delivery", s.word)
	}
	w.WriteHeader(s.status)
}

// do does one step.
func (s *subscriber) do(step consoleStep) error {
	if step.meanwhile != "" {
		return s.meanwhile(step.meanwhile)
	}
	if set := assignment.FindStringSubmatch(step.command); set != nil {
		return s.assign(set[1], set[2])
	}
	words, err := shellWords(s.real(step.command), s.variables)
	if err != nil {
		return err
	}
	if len(words) == 0 || words[0] != "curl" {
		return fmt.Errorf("it is neither curl nor NAME=value")
	}
	request, err := curlOf(words)
	if err != nil {
		return err
	}
	return s.request(request, step.shown)
}

// real puts the names of the test in the place of those of the page, and paged the
// other way round.
func (s *subscriber) real(text string) string {
	return strings.NewReplacer(pageAPI, "http://"+s.address, pageReceiver, s.receiver.URL).Replace(text)
}

func (s *subscriber) paged(text string) string {
	return strings.NewReplacer("http://"+s.address, pageAPI, s.receiver.URL, pageReceiver).Replace(text)
}

// assign sets a variable; what is shortened in the page is taken from the last answer.
func (s *subscriber) assign(name, text string) error {
	words, err := shellWords(s.real(text), s.variables)
	if err != nil || len(words) != 1 {
		return fmt.Errorf("it is no value: %q %w", words, err)
	}
	value := words[0]
	if strings.Contains(value, "…") {
		found := s.last.found[value]
		if given := s.given[name]; given != "" {
			found = []string{given}
		}
		if len(found) == 0 {
			return fmt.Errorf("the answer before has no %s", value)
		}
		for _, other := range found {
			if other != found[0] {
				return fmt.Errorf("%s may be any of %q", value, found)
			}
		}
		value = found[0]
	}
	s.variables[name] = value
	return nil
}

// request makes a request, and compares its answer with what is shown.
func (s *subscriber) request(r curlRequest, shown []string) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), testTimeout)
	defer cancel()
	made, err := http.NewRequestWithContext(ctx, r.method, r.url, strings.NewReader(r.body))
	if err != nil {
		return err
	}
	for _, header := range r.headers {
		made.Header.Set(header[0], header[1])
	}
	response, err := http.DefaultClient.Do(made)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	s.last = shownMatch{}
	want := http.StatusOK
	if r.head {
		if want, shown, err = s.head(response, shown); err != nil {
			return err
		}
	}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		s.stream(response.Body, shown)
	} else {
		text, err := io.ReadAll(response.Body)
		if err != nil {
			return err
		}
		s.t.Logf("%s %s: %d %v\n%s", r.method, s.paged(r.url), response.StatusCode, response.Header, s.paged(string(text)))
		if err := s.body(strings.Join(shown, "\n"), s.paged(string(text))); err != nil {
			return err
		}
	}
	if response.StatusCode != want {
		s.last.fail("status", "%d, and the page shows %d", response.StatusCode, want)
	}
	if len(s.last.wrong) > 0 {
		return fmt.Errorf("%s", strings.Join(s.last.wrong, "\n"))
	}
	return nil
}

// head compares the headers of an answer. It returns the status that is shown, and the
// lines that follow.
func (s *subscriber) head(response *http.Response, shown []string) (status int, rest []string, err error) {
	if len(shown) == 0 {
		return 0, nil, fmt.Errorf("the page shows no status")
	}
	_, text, _ := strings.Cut(shown[0], " ")
	if status, err = strconv.Atoi(text); err != nil {
		return 0, nil, fmt.Errorf("%q is no status", shown[0])
	}
	for i, line := range shown[1:] {
		if line == "" {
			return status, shown[i+2:], nil
		}
		if line == "…" {
			continue
		}
		name, value, _ := strings.Cut(line, ": ")
		s.last.text(name, value, response.Header.Get(name))
	}
	return status, nil, nil
}

// body compares the body of an answer.
func (s *subscriber) body(shown, got string) error {
	if shown == "" || got == "" {
		s.last.text("body", shown, got)
		return nil
	}
	want, err := shownJSON(shown)
	if err != nil {
		return err
	}
	var value any
	if err := json.Unmarshal([]byte(got), &value); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	s.last.value("", want, value)
	return nil
}

// stream compares the beginning of a stream.
func (s *subscriber) stream(body io.Reader, shown []string) {
	lines := bufio.NewScanner(body)
	for i, line := range shown {
		if line == "…" && i == len(shown)-1 {
			return
		}
		if !lines.Scan() {
			s.last.fail("stream", "it ends before %q", line)
			return
		}
		data, isData := strings.CutPrefix(line, "data: ")
		got, gotData := strings.CutPrefix(s.paged(lines.Text()), "data: ")
		s.t.Logf("stream: %s", lines.Text())
		if !isData || !gotData {
			s.last.text("stream", line, lines.Text())
			continue
		}
		if err := s.body(data, got); err != nil {
			s.last.fail("stream", "%v", err)
		}
	}
}

// meanwhile does what happens while the page tells of something else: `put` changes an
// object of the API, `receiver` says what the receiver answers, and `until` waits for a
// text in the answer to a path.
func (s *subscriber) meanwhile(what string) error {
	word, rest, _ := strings.Cut(what, " ")
	first, second, _ := strings.Cut(rest, " ")
	switch word {
	case "put":
		s.put(first, second)
	case "receiver":
		status, err := strconv.Atoi(first)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.status, s.word = status, second
		s.mu.Unlock()
	case "until":
		words, err := shellWords(`"`+first+`"`, s.variables)
		if err != nil || len(words) != 1 {
			return fmt.Errorf("%q is no path: %w", first, err)
		}
		reader := client{s.t, "http://" + s.address + "/webhooks", http.Header{"Authorization": {"Bearer " + s.variables["KEY"]}}}
		// Polling more often would use up what a subscriber may ask.
		tick, end := time.NewTicker(250*time.Millisecond), time.After(testTimeout)
		defer tick.Stop()
		for {
			_, answer, _ := reader.do(http.MethodGet, words[0], "")
			if text, err := json.Marshal(answer); err == nil && strings.Contains(string(text), second) {
				return nil
			}
			select {
			case <-tick.C:
			case <-end:
				return fmt.Errorf("not within %s", testTimeout)
			}
		}
	default:
		return fmt.Errorf("nothing of that name happens")
	}
	return nil
}
