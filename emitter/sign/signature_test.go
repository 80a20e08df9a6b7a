// SPDX-License-Identifier: Apache-2.0

package sign

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"pgregory.net/rapid"
)

// TestHeaderVector is the example of the Standard Webhooks specification.
func TestHeaderVector(t *testing.T) {
	secret := mustParse(t, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	got := Header([]Secret{secret}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// verify asks the receivers' library whether it accepts a signature.
func verify(key []byte, signature, id string, at time.Time, body []byte) error {
	receiver, err := standardwebhooks.NewWebhookRaw(key)
	if err != nil {
		return err
	}
	header := http.Header{}
	header.Set("webhook-id", id)
	header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	header.Set("webhook-signature", signature)
	return receiver.VerifyIgnoringTimestamp(body, header)
}

func TestHeaderIsAcceptedByReceivers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), MinKeyLength, MaxKeyLength), 1, 3).Draw(t, "keys")
		id := rapid.StringMatching(`[a-z0-9_]{1,40}`).Draw(t, "id")
		body := rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		at := time.Unix(rapid.Int64Range(0, 1<<40).Draw(t, "at"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))

		secrets := make([]Secret, len(keys))
		for i, key := range keys {
			secrets[i] = newSecret(key)
		}
		signature := Header(secrets, id, at, body)
		for i, key := range keys {
			if err := verify(key, signature, id, at, body); err != nil {
				t.Fatalf("the receiver with secret %d does not accept %q: %v", i, signature, err)
			}
		}
		if n := len(strings.Split(signature, " ")); n != len(keys) {
			t.Fatalf("%d signatures for %d secrets", n, len(keys))
		}
		if verify(keys[0], signature, id, at, append(body, 'x')) == nil {
			t.Fatal("accepted with another body")
		}
		if verify(keys[0], signature, id, at.Add(time.Second), body) == nil {
			t.Fatal("accepted with another time")
		}
		if verify(keys[0], signature, id+"x", at, body) == nil {
			t.Fatal("accepted with another id")
		}
		if verify(bytes.Repeat([]byte{0x5a}, 32), signature, id, at, body) == nil {
			t.Fatal("accepted with a secret that did not sign")
		}
	})
}

func TestHeaderWithoutSecrets(t *testing.T) {
	if got := Header([]Secret{{}, {}}, "id", time.Unix(1, 0), nil); got != "" {
		t.Errorf("got %q of no secret", got)
	}
}

// TestHeaderConcurrently shows that prepared hashes are never shared.
func TestHeaderConcurrently(t *testing.T) {
	secrets := []Secret{newSecret(exampleKey)}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			body := bytes.Repeat([]byte{byte(i)}, 100*i)
			want := Header([]Secret{newSecret(exampleKey)}, "id", time.Unix(1, 0), body)
			for range 500 {
				if got := Header(secrets, "id", time.Unix(1, 0), body); got != want {
					t.Errorf("goroutine %d: got %s, want %s", i, got, want)
					return
				}
			}
		})
	}
	group.Wait()
}

func BenchmarkHeader(b *testing.B) {
	secrets := []Secret{newSecret(exampleKey)}
	body := bytes.Repeat([]byte("x"), 1024)
	at := time.Unix(1614265330, 0)
	b.ReportAllocs()
	for b.Loop() {
		Header(secrets, "evt_0123456789abcdef", at, body)
	}
}
