// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const (
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	other  = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

// signed returns the request of a delivery.
func signed(t *testing.T, secret, id string, at time.Time, payload string) *http.Request {
	t.Helper()
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
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
	for _, test := range []struct {
		name    string
		request func(*testing.T) *http.Request
		status  int
		printed string
	}{
		{
			"signed",
			func(t *testing.T) *http.Request { return signed(t, secret, "evt_1", time.Now(), payload) },
			http.StatusNoContent,
			"15:04:05.006  items.updated  items/42  #2  evt_1  verified\n{\n  \"items\": {\n    \"id\": \"42\"\n  }\n}\n",
		},
		{
			"without our own headers",
			func(t *testing.T) *http.Request {
				r := signed(t, secret, "evt_1", time.Now(), payload)
				for _, name := range []string{"webhook-event", "webhook-object", "webhook-sequence"} {
					r.Header.Del(name)
				}
				return r
			},
			http.StatusNoContent,
			"15:04:05.006  -  -  -  evt_1  verified\n{\n  \"items\": {\n    \"id\": \"42\"\n  }\n}\n",
		},
		{
			"a payload that is not JSON",
			func(t *testing.T) *http.Request { return signed(t, secret, "evt_1", time.Now(), "<a/>") },
			http.StatusNoContent,
			"15:04:05.006  items.updated  items/42  #2  evt_1  verified\n<a/>\n",
		},
		{
			"an empty payload",
			func(t *testing.T) *http.Request { return signed(t, secret, "evt_1", time.Now(), "") },
			http.StatusNoContent,
			"15:04:05.006  items.updated  items/42  #2  evt_1  verified\n",
		},
		{
			"escapes for the terminal",
			func(t *testing.T) *http.Request {
				return signed(t, secret, "evt_1", time.Now(), "{\"a\":\"\u009b2J\u202e\"}")
			},
			http.StatusNoContent,
			"15:04:05.006  items.updated  items/42  #2  evt_1  verified\n{\n  \"a\": \"\\u009b2J\\u202e\"\n}\n",
		},
		{
			"another's secret",
			func(t *testing.T) *http.Request { return signed(t, other, "evt_1", time.Now(), payload) },
			http.StatusUnauthorized,
			"REJECTED: unable to verify payload, err: no matching signature found\n",
		},
		{
			"a changed payload",
			func(t *testing.T) *http.Request {
				r := signed(t, secret, "evt_1", time.Now(), payload)
				r.Body = io.NopCloser(strings.NewReader(strings.ToUpper(payload)))
				return r
			},
			http.StatusUnauthorized,
			"REJECTED: unable to verify payload, err: no matching signature found\n",
		},
		{
			"another id",
			func(t *testing.T) *http.Request {
				r := signed(t, secret, "evt_1", time.Now(), payload)
				r.Header.Set("webhook-id", "evt_2")
				return r
			},
			http.StatusUnauthorized,
			"REJECTED: unable to verify payload, err: no matching signature found\n",
		},
		{
			"an old one",
			func(t *testing.T) *http.Request {
				return signed(t, secret, "evt_1", time.Now().Add(-time.Hour), payload)
			},
			http.StatusUnauthorized,
			"REJECTED: unable to verify payload, err: message timestamp too old\n",
		},
		{
			"not signed",
			func(t *testing.T) *http.Request {
				return httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(payload))
			},
			http.StatusUnauthorized,
			"15:04:05.006  -  -  -  -  REJECTED: unable to verify payload, err: missing required headers\n",
		},
		{
			"too large",
			func(t *testing.T) *http.Request {
				return signed(t, secret, "evt_1", time.Now(), strings.Repeat("a", maxPayload+1))
			},
			http.StatusRequestEntityTooLarge,
			"",
		},
		{
			"another method",
			func(t *testing.T) *http.Request {
				return httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
			},
			http.StatusMethodNotAllowed,
			"",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var printed bytes.Buffer
			recorder := httptest.NewRecorder()
			newReceiver(t, &printed, 0).ServeHTTP(recorder, test.request(t))
			if recorder.Code != test.status {
				t.Errorf("status %d, want %d", recorder.Code, test.status)
			}
			got := printed.String()
			if test.printed == "" && got != "" || !strings.HasSuffix(got, test.printed) {
				t.Errorf("it printed\n%swant\n%s", got, test.printed)
			}
			if test.status == http.StatusUnauthorized && strings.Contains(got, `"items"`) {
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
	// The forged one must not make the true one look like a repeat.
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
