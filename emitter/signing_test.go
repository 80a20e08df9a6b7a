// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

// TestEachAttemptIsSignedAnew retries a delivery that is signed in every way at
// once: each attempt has its own time in all of its signatures, and the same
// bytes.
func TestEachAttemptIsSignedAnew(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		key, err := sign.ParseKey("gateway-api-key")
		if err != nil {
			t.Fatal(err)
		}
		style, err := sign.Preset("timestamped")
		if err != nil {
			t.Fatal(err)
		}
		stamped, err := sign.NewXSignature(style, key)
		if err != nil {
			t.Fatal(err)
		}
		messages, err := sign.NewMessageSignatures()
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		there := &receivers{}
		there.answer = func(context.Context, got) (int, error) {
			if len(there.of("erp")) == 1 {
				return http.StatusServiceUnavailable, nil
			}
			close(done)
			return http.StatusNoContent, nil
		}
		target := newTarget(t, "erp", there)
		target.Endpoint.Signatures = []sign.Scheme{sign.Standard{}, stamped, messages}
		store := memory.New(time.Now)
		emitter := New(store, Options{})
		if err := emitter.Apply([]Target{target}); err != nil {
			t.Fatal(err)
		}
		newPublisher(store).publish(t, "1", []string{"erp"}, nil)
		<-done
		emitter.Stop(t.Context())
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}

		attempts := there.of("erp")
		if len(attempts) != 2 || string(attempts[0].body) != string(attempts[1].body) {
			t.Fatalf("got %d attempts, or other bytes", len(attempts))
		}
		for _, name := range []string{"webhook-signature", "X-Signature", "Signature", "Signature-Input"} {
			first, second := attempts[0].header.Get(name), attempts[1].header.Get(name)
			if first == "" || second == "" || first == second {
				t.Errorf("%s: %q, then %q", name, first, second)
			}
		}
		for _, attempt := range attempts {
			seconds, err := strconv.ParseInt(attempt.header.Get("webhook-timestamp"), 10, 64)
			if err != nil || !time.Unix(seconds, 0).Equal(attempt.at.Truncate(time.Second)) {
				t.Errorf("sent at %s with the time %d", attempt.at, seconds)
			}
			want := http.Header{}
			m := sign.Message{ID: attempt.header.Get("webhook-id"), At: time.Unix(seconds, 0), Body: attempt.body}
			stamped.Sign(m, nil, want)
			if got := attempt.header.Get("X-Signature"); got != want.Get("X-Signature") {
				t.Errorf("X-Signature is %s, want %s", got, want.Get("X-Signature"))
			}
		}
	})
}
