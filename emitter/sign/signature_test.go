// SPDX-License-Identifier: Apache-2.0

package sign

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"net/url"
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

// TestPrivateHeaderVectors are from the tests of Standard Webhooks' own server,
// and from openssl pkeyutl -sign -rawin.
func TestPrivateHeaderVectors(t *testing.T) {
	for _, test := range []struct {
		secret, id, body, want string
	}{
		{
			privatePair, "msg_p5jXN8AQM9LWM0D4loKWxJek", `{"test": 2432232314}`,
			"v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
		},
		{
			privateKey, "evt_1", `{"id":"42","state":"paid"}`,
			"v1a,8OmVgNGn93OU8J9/frDtow8gCp0oeBu4axPZ1S28ph18raYPAOJ2OeuVaMrMdbZJZL+8BA1jTYIHPb4ht8XLBg==",
		},
	} {
		if got := Header([]Secret{mustParse(t, test.secret)}, test.id, time.Unix(1614265330, 0), []byte(test.body)); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

// TestRotation replaces a shared secret by a private one: during the overlap
// receivers of both kinds accept the signatures, afterwards only the new one
// does.
func TestRotation(t *testing.T) {
	end := time.Unix(1614265330, 0)
	private := mustParse(t, privateKey)
	secrets := []Secret{private, newSecret(exampleKey).Until(end)}
	body := []byte("body")
	acceptsPrivate := func(signature string, at time.Time) bool {
		for _, one := range strings.Fields(signature) {
			encoded, ok := strings.CutPrefix(one, "v1a,")
			decoded, err := base64.StdEncoding.DecodeString(encoded)
			content := "id." + strconv.FormatInt(at.Unix(), 10) + ".body"
			if ok && err == nil && ed25519.Verify(private.material().publicKey(), []byte(content), decoded) {
				return true
			}
		}
		return false
	}
	for _, test := range []struct {
		at  time.Time
		old bool
	}{{end.Add(-DefaultOverlap), true}, {end.Add(-time.Nanosecond), true}, {end, false}, {end.Add(time.Hour), false}} {
		signature := Header(secrets, "id", test.at, body)
		if !acceptsPrivate(signature, test.at) {
			t.Errorf("%s: the new receiver does not accept %q", test.at, signature)
		}
		if err := verify(exampleKey, signature, "id", test.at, body); test.old != (err == nil) {
			t.Errorf("%s: the old receiver says %v to %q", test.at, err, signature)
		}
	}
}

func TestStandardScheme(t *testing.T) {
	header := http.Header{}
	Standard{}.Sign(Message{ID: "id", At: time.Unix(1, 0)}, []Secret{newSecret(exampleKey)}, header)
	if got := header.Get("webhook-signature"); got != Header([]Secret{newSecret(exampleKey)}, "id", time.Unix(1, 0), nil) {
		t.Errorf("got %q", got)
	}
	for name, secrets := range map[string][]Secret{
		"none": nil, "an empty one": {newSecret(exampleKey), {}}, "a current one with an end": {newSecret(exampleKey).Until(time.Unix(1, 0))},
	} {
		if err := (Standard{}).Check(secrets); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := (Standard{}).Check([]Secret{newSecret(exampleKey), newSecret(exampleKey).Until(time.Unix(1, 0))}); err != nil {
		t.Error(err)
	}
}

// verify reports an error if the receivers' library rejects a signature.
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
		t.Errorf("got %q without a secret", got)
	}
}

// TestHeaderConcurrently checks that prepared hashes are never shared.
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

// BenchmarkSchemes signs 1 KiB, as one attempt of each kind does.
func BenchmarkSchemes(b *testing.B) {
	shared, private := newSecret(exampleKey), mustParse(b, privateKey)
	messages, err := NewMessageSignatures()
	if err != nil {
		b.Fatal(err)
	}
	style, err := NewXSignature(presets["timestamped"], mustKey(b, "gateway-api-key"))
	if err != nil {
		b.Fatal(err)
	}
	m := Message{
		ID: "evt_0123456789abcdef", At: time.Unix(1614265330, 0), ContentType: "application/json",
		URL: &url.URL{Scheme: "https", Host: "erp.example.com", Path: "/hooks"}, Body: bytes.Repeat([]byte("x"), 1024),
	}
	for _, bench := range []struct {
		name    string
		scheme  Scheme
		secrets []Secret
	}{
		{"v1", Standard{}, []Secret{shared}},
		{"v1 rotating", Standard{}, []Secret{shared, shared}},
		{"v1a", Standard{}, []Secret{private}},
		{"x-signature", style, nil},
		{"rfc9421 hmac", messages, []Secret{shared}},
		{"rfc9421 ed25519", messages, []Secret{private}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			header := http.Header{}
			b.ReportAllocs()
			for b.Loop() {
				bench.scheme.Sign(m, bench.secrets, header)
			}
		})
	}
}
