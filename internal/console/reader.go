// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Reader types what a page says, and compares the answers.
type Reader struct {
	// Names are names of the page, each followed by what has its place here, such as the
	// address of an API.
	Names []string
	// Variables are those of the shell.
	Variables map[string]string
	// Given are the values of variables that the page only hints at (KEY=whk_…), and
	// that no answer has: readers have them before.
	Given map[string]string
	// Meanwhile does what happens between commands. Default: nothing may happen.
	Meanwhile func(what string) error
	// Client sends the requests. Default: [http.DefaultClient].
	Client *http.Client
	// Timeout limits a request with its answer. Default: two minutes.
	Timeout time.Duration
	// Logf gets each answer. Default: none.
	Logf func(format string, args ...any)

	last Match
}

// defaultTimeout is generous: a busy machine fails no page.
const defaultTimeout = 2 * time.Minute

// Do does one step. Its error says what is not as the page has it.
func (r *Reader) Do(ctx context.Context, step Step) error {
	switch set := assignment.FindStringSubmatch(step.Command); {
	case step.Meanwhile != "" && r.Meanwhile == nil:
		return errors.New("nothing happens meanwhile here")
	case step.Meanwhile != "":
		return r.Meanwhile(step.Meanwhile)
	case set != nil:
		return r.assign(set[1], set[2])
	}
	words, err := Words(r.Real(step.Command), r.Variables)
	if err != nil {
		return err
	}
	if len(words) == 0 || words[0] != "curl" {
		return errors.New("it is neither curl nor NAME=value")
	}
	request, err := Curl(words)
	if err != nil {
		return err
	}
	if r.Timeout == 0 {
		r.Timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	return r.request(ctx, request, step.Shown)
}

// Real returns a text of the page with the names that count here, and Paged one of here
// with those of the page.
func (r *Reader) Real(text string) string { return strings.NewReplacer(r.Names...).Replace(text) }

// Paged is the reverse of [Reader.Real].
func (r *Reader) Paged(text string) string {
	back := slices.Clone(r.Names)
	for i := 0; i+1 < len(back); i += 2 {
		back[i], back[i+1] = back[i+1], back[i]
	}
	return strings.NewReplacer(back...).Replace(text)
}

// assign sets a variable; what is shortened in the page is taken from the last answer.
func (r *Reader) assign(name, text string) error {
	words, err := Words(r.Real(text), r.Variables)
	if err != nil || len(words) != 1 {
		return fmt.Errorf("it is no value: %q %w", words, err)
	}
	value := words[0]
	if strings.Contains(value, "…") {
		found := r.last.found[value]
		if given := r.Given[name]; given != "" {
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
	if r.Variables == nil {
		r.Variables = make(map[string]string)
	}
	r.Variables[name] = value
	return nil
}

// request makes a request, and compares its answer with what is shown.
func (r *Reader) request(ctx context.Context, asked Request, shown []string) error {
	made, err := http.NewRequestWithContext(ctx, asked.Method, asked.URL, strings.NewReader(asked.Body))
	if err != nil {
		return err
	}
	for _, header := range asked.Headers {
		made.Header.Set(header[0], header[1])
	}
	client := r.Client
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(made)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	r.last = Match{}
	want := http.StatusOK
	if asked.Head {
		if want, shown, err = r.head(response, shown); err != nil {
			return err
		}
	}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		r.stream(response.Body, shown)
	} else if err := r.whole(response, shown); err != nil {
		return err
	}
	if response.StatusCode != want {
		r.last.fail("status", "%d, and the page shows %d", response.StatusCode, want)
	}
	if len(r.last.wrong) > 0 {
		return errors.New(strings.Join(r.last.wrong, "\n"))
	}
	return nil
}

// whole compares an answer that ends.
func (r *Reader) whole(response *http.Response, shown []string) error {
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	r.logf("%s %s: %d %v\n%s", response.Request.Method, r.Paged(response.Request.URL.String()), response.StatusCode, response.Header, r.Paged(string(text)))
	return r.body(strings.Join(shown, "\n"), r.Paged(string(text)))
}

// head compares the headers of an answer. It returns the status that is shown, and the
// lines that follow.
func (r *Reader) head(response *http.Response, shown []string) (status int, rest []string, err error) {
	if len(shown) == 0 {
		return 0, nil, errors.New("the page shows no status")
	}
	fields := strings.Fields(shown[0])
	if len(fields) < 2 {
		return 0, nil, fmt.Errorf("%q is no status", shown[0])
	}
	if status, err = strconv.Atoi(fields[1]); err != nil {
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
		r.last.text(name, value, r.Paged(response.Header.Get(name)))
	}
	return status, nil, nil
}

// body compares the body of an answer.
func (r *Reader) body(shown, got string) error {
	if shown == "" || got == "" {
		r.last.text("body", shown, got)
		return nil
	}
	want, err := JSON(shown)
	if err != nil {
		return err
	}
	var value any
	if err := json.Unmarshal([]byte(got), &value); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	r.last.value("", want, value)
	return nil
}

// stream compares the beginning of a stream.
func (r *Reader) stream(body io.Reader, shown []string) {
	lines := bufio.NewScanner(body)
	for i, line := range shown {
		if line == "…" && i == len(shown)-1 {
			return
		}
		if !lines.Scan() {
			r.last.fail("stream", "it ends before %q", line)
			return
		}
		data, isData := strings.CutPrefix(line, "data: ")
		got, gotData := strings.CutPrefix(r.Paged(lines.Text()), "data: ")
		r.logf("stream: %s", lines.Text())
		if !isData || !gotData {
			r.last.text("stream", line, lines.Text())
			continue
		}
		if err := r.body(data, got); err != nil {
			r.last.fail("stream", "%v", err)
		}
	}
}

func (r *Reader) logf(format string, args ...any) {
	if r.Logf != nil {
		r.Logf(format, args...)
	}
}
