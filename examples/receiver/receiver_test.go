// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

const (
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	other  = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

// signed returns a request with a signed delivery.
func signed(t *testing.T, secret, id string, at time.Time, payload string) *http.Request {
	t.Helper()
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	key := event.Key{Resource: "items", ID: "42"}
	id = (&event.Event{ID: id, Type: "items.updated", Key: key, Sequence: 2, Op: event.OpChange}).DeliveryID()
	signature, err := webhook.Sign(id, at, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks", strings.NewReader(payload))
	r.Header.Set("webhook-id", id)
	r.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	r.Header.Set("webhook-signature", signature)
	r.Header.Set("webhook-event", "items.updated")
	r.Header.Set("webhook-object", "items/42")
	r.Header.Set("webhook-sequence", "2")
	r.Header.Set("webhook-op", "change")
	return r
}

func newReceiver(t *testing.T, out io.Writer, remember int) http.Handler {
	t.Helper()
	handler, err := New(Options{
		Secret:   secret,
		Out:      out,
		Now:      func() time.Time { return time.Date(2026, 1, 2, 15, 4, 5, 6e6, time.UTC) },
		Remember: remember,
	})
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

func TestDeliveries(t *testing.T) {
	const payload = `{"items":{"id":"42"}}`
	const forged = "REJECTED: no signature of the webhook is right\n"
	const first = "15:04:05.006  items.updated  items/42  #2  evt_1  "
	for _, test := range []struct {
		name    string
		secret  string
		age     time.Duration
		payload string
		change  func(*http.Request) // after signing
		status  int
		printed string
	}{
		{
			name:    "signed",
			status:  http.StatusNoContent,
			printed: first + "verified\n{\n  \"items\": {\n    \"id\": \"42\"\n  }\n}\n",
		},
		{
			name: "without our own headers",
			change: func(r *http.Request) {
				for _, name := range []string{"webhook-event", "webhook-object", "webhook-sequence"} {
					r.Header.Del(name)
				}
			},
			status:  http.StatusUnauthorized,
			printed: "15:04:05.006  -  -  -  evt_1  REJECTED: the webhook's headers are not those that were signed\n",
		},
		{
			name:    "told as another event",
			change:  func(r *http.Request) { r.Header.Set("webhook-event", "items.deleted") },
			status:  http.StatusUnauthorized,
			printed: "  items.deleted  items/42  #2  evt_1  REJECTED: the webhook's headers are not those that were signed\n",
		},
		{
			name:    "told of another object",
			change:  func(r *http.Request) { r.Header.Set("webhook-object", "items/43") },
			status:  http.StatusUnauthorized,
			printed: "  items/43  #2  evt_1  REJECTED: the webhook's headers are not those that were signed\n",
		},
		{
			name:    "with a header more",
			change:  func(r *http.Request) { r.Header.Set("webhook-changed", "/state") },
			status:  http.StatusUnauthorized,
			printed: first + "REJECTED: the webhook's headers are not those that were signed\n",
		},
		{
			name:    "a payload that is not JSON",
			payload: "<a/>",
			status:  http.StatusNoContent,
			printed: first + "verified\n<a/>\n",
		},
		{
			name:    "escapes for the terminal what a payload has",
			payload: "{\"a\":\"\u009b2J\u202e\"}",
			status:  http.StatusNoContent,
			printed: first + "verified\n{\n  \"a\": \"\\u009b2J\\u202e\"\n}\n",
		},
		{
			name:    "escapes for the terminal",
			payload: "{\"a\":\"\u009b2J\u202e\"}",
			change:  func(r *http.Request) { r.Header.Set("webhook-object", "items/\u009b2J") },
			status:  http.StatusUnauthorized,
			printed: `  items/\u009b2J  #2  evt_1  REJECTED: the webhook's headers are not those that were signed` + "\n",
		},
		{
			name:    "another's secret",
			secret:  other,
			status:  http.StatusUnauthorized,
			printed: first + forged,
		},
		{
			name:    "a changed payload",
			change:  func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(strings.ToUpper(payload))) },
			status:  http.StatusUnauthorized,
			printed: first + forged,
		},
		{
			name:    "another id",
			change:  func(r *http.Request) { r.Header.Set("webhook-id", "evt_2") },
			status:  http.StatusUnauthorized,
			printed: forged,
		},
		{
			name:    "an old one",
			age:     time.Hour,
			status:  http.StatusUnauthorized,
			printed: first + "REJECTED: the webhook was not sent just now\n",
		},
		{
			name:    "not signed",
			change:  func(r *http.Request) { r.Header = http.Header{} },
			status:  http.StatusUnauthorized,
			printed: "15:04:05.006  -  -  -  -  REJECTED: the headers of a webhook are missing or malformed\n",
		},
		{
			name:    "too large",
			payload: strings.Repeat("a", maxPayload+1),
			status:  http.StatusRequestEntityTooLarge,
		},
		{
			name:   "another method",
			change: func(r *http.Request) { r.Method = http.MethodGet },
			status: http.StatusMethodNotAllowed,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			request := signed(t, cmp.Or(test.secret, secret), "evt_1", time.Now().Add(-test.age), cmp.Or(test.payload, payload))
			if test.change != nil {
				test.change(request)
			}
			var printed bytes.Buffer
			recorder := httptest.NewRecorder()
			newReceiver(t, &printed, 0).ServeHTTP(recorder, request)
			if recorder.Code != test.status {
				t.Errorf("status %d, want %d", recorder.Code, test.status)
			}
			got := printed.String()
			if test.printed == "" && got != "" || !strings.HasSuffix(got, test.printed) {
				t.Errorf("it printed\n%swant\n%s", got, test.printed)
			}
			if test.status == http.StatusUnauthorized && strings.Contains(strings.ToLower(got), `"items"`) {
				t.Errorf("it printed a payload that is not verified: %s", got)
			}
		})
	}
}

func TestRepeats(t *testing.T) {
	var printed bytes.Buffer
	handler := newReceiver(t, &printed, 2)
	deliver := func(secret, id string) string {
		printed.Reset()
		handler.ServeHTTP(httptest.NewRecorder(), signed(t, secret, id, time.Now(), `{"a":1}`))
		return printed.String()
	}
	isRepeat := func(text string) bool { return strings.Contains(text, "a repeat") }

	if got := deliver(other, "evt_1"); !strings.Contains(got, "REJECTED") {
		t.Errorf("a forged delivery printed %q", got)
	}
	// The forged one must not make the genuine one look like a repeat.
	if got := deliver(secret, "evt_1"); isRepeat(got) || !strings.Contains(got, `"a": 1`) {
		t.Errorf("the first delivery printed %q", got)
	}
	if got := deliver(secret, "evt_1"); !isRepeat(got) || strings.Contains(got, `"a": 1`) {
		t.Errorf("the second delivery printed %q", got)
	}
	deliver(secret, "evt_2")
	if got := deliver(secret, "evt_1"); !isRepeat(got) {
		t.Errorf("one of the last two ids was forgotten: %q", got)
	}
	deliver(secret, "evt_3")
	if got := deliver(secret, "evt_1"); isRepeat(got) {
		t.Errorf("more than the last two ids were remembered: %q", got)
	}
}

func TestSecrets(t *testing.T) {
	for _, empty := range []string{"", "whsec_"} {
		if _, err := New(Options{Secret: empty}); !errors.Is(err, ErrNoSecret) {
			t.Errorf("secret %q: error %v, want %v", empty, err, ErrNoSecret)
		}
	}
	_, err := New(Options{Secret: "whsec_not-base64"})
	if err == nil || strings.Contains(err.Error(), "not-base64") {
		t.Errorf("a secret that is none: error %v", err)
	}
}
