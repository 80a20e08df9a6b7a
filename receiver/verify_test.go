// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"pgregory.net/rapid"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// newVerifier returns a verifier whose clock stands.
func newVerifier(t testing.TB, now time.Time, secrets ...string) *Verifier {
	t.Helper()
	v, err := NewVerifier(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	v.Now = func() time.Time { return now }
	return v
}

func TestVerify(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	const body = `{"id":"42"}`
	for _, test := range []struct {
		name    string
		secrets []string
		age     time.Duration
		body    string
		change  func(http.Header)
		want    error
	}{
		{name: "good"},
		{name: "the second of two secrets", secrets: []string{other, secret}},
		{name: "a secret without its prefix", secrets: []string{strings.TrimPrefix(secret, "whsec_")}},
		{name: "one good signature among others", change: func(h http.Header) {
			h.Set("webhook-signature", "v1,AAAA v2,x v1 "+h.Get("webhook-signature")+" v1a,AAAA")
		}},
		{name: "just not too old", age: DefaultTolerance},
		{name: "just not too early", age: -DefaultTolerance},
		{name: "too old", age: DefaultTolerance + time.Second, want: ErrTime},
		{name: "too early", age: -DefaultTolerance - time.Second, want: ErrTime},
		{name: "another's secret", secrets: []string{other}, want: ErrSignature},
		{name: "another body", body: body + " ", want: ErrSignature},
		{name: "another id", change: func(h http.Header) { h.Set("webhook-id", "evt_2") }, want: ErrSignature},
		{name: "another time", change: func(h http.Header) { h.Set("webhook-timestamp", "1800000001") }, want: ErrSignature},
		{name: "another version", change: func(h http.Header) {
			h.Set("webhook-signature", strings.Replace(h.Get("webhook-signature"), "v1,", "v2,", 1))
		}, want: ErrSignature},
		{name: "half a signature", change: func(h http.Header) { h.Set("webhook-signature", h.Get("webhook-signature")[:20]) }, want: ErrSignature},
		{name: "an empty signature", change: func(h http.Header) { h.Set("webhook-signature", "v1,") }, want: ErrSignature},
		{name: "a thousand signatures", change: func(h http.Header) {
			h.Set("webhook-signature", strings.Repeat("v1,AAAA ", 1000)+h.Get("webhook-signature"))
		}, want: ErrSignature},
		{name: "no signature", change: func(h http.Header) { h.Del("webhook-signature") }, want: ErrHeaders},
		{name: "no id", change: func(h http.Header) { h.Del("webhook-id") }, want: ErrHeaders},
		{name: "no time", change: func(h http.Header) { h.Del("webhook-timestamp") }, want: ErrHeaders},
		{name: "a time with a sign", change: func(h http.Header) { h.Set("webhook-timestamp", "+1800000000") }, want: ErrHeaders},
		{name: "a time without end", change: func(h http.Header) { h.Set("webhook-timestamp", strings.Repeat("9", 30)) }, want: ErrHeaders},
		{name: "an id with a full stop", change: func(h http.Header) { h.Set("webhook-id", "evt_1.2") }, want: ErrHeaders},
		{name: "another type", change: func(h http.Header) { h.Set("webhook-event", "items.deleted") }, want: ErrClaims},
		{name: "another object", change: func(h http.Header) { h.Set("webhook-object", "items/43") }, want: ErrClaims},
		{name: "another number", change: func(h http.Header) { h.Set("webhook-sequence", "8") }, want: ErrClaims},
		{name: "no number", change: func(h http.Header) { h.Del("webhook-sequence") }, want: ErrClaims},
		{name: "another op", change: func(h http.Header) { h.Set("webhook-op", "create") }, want: ErrClaims},
		{name: "another freshness", change: func(h http.Header) { h.Set("webhook-freshness", "version") }, want: ErrClaims},
		{name: "a header more", change: func(h http.Header) { h.Set("webhook-changed", "/a") }, want: ErrClaims},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := headersOf(t, someEvent("42", 7), secret, now.Add(-test.age), body)
			if test.change != nil {
				test.change(header)
			}
			if test.secrets == nil {
				test.secrets = []string{secret}
			}
			if test.body == "" {
				test.body = body
			}
			got, err := newVerifier(t, now, test.secrets...).Verify(header, []byte(test.body))
			if !errors.Is(err, test.want) || (err == nil) != (got != nil) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			if err != nil {
				return
			}
			want := Event{
				ID: eventID("42", 7), Committed: true, Type: "items.updated", Object: "items/42", Sequence: 7, Op: OpChange,
				Freshness: "unproven", Sent: now.Add(-test.age), Header: header, Body: []byte(body),
			}
			if !reflect.DeepEqual(*got, want) {
				t.Errorf("got  %+v\nwant %+v", *got, want)
			}
		})
	}
}

// What an id does not commit to is not believed: whoever repeats a delivery may have
// changed it.
func TestUncommitted(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for name, id := range map[string]string{
		"before there were hashes": eventID("42", 7),
		"another sender's":         "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
		"another's with two parts": "msg_0123456789abcdefghjkmnpqrstvwxyz_6mz8kamxatkxes0h0zna4cdzea",
	} {
		t.Run(name, func(t *testing.T) {
			e := someEvent("42", 7)
			e.ID, e.Uncommitted = id, true
			got, err := newVerifier(t, now, secret).Verify(headersOf(t, e, secret, now, "{}"), []byte("{}"))
			if err != nil {
				t.Fatal(err)
			}
			if got.Committed || got.Type != "" || got.Object != "" || got.Sequence != 0 || got.Op != "" || got.ID != id {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// The library of Standard Webhooks and this package accept what the other signs, and
// nothing that is changed.
func TestLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 24, 64).Draw(t, "key")
		secret := "whsec_" + base64.StdEncoding.EncodeToString(key)
		body := rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		at := time.Now()
		library, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		v, err := NewVerifier(secret)
		if err != nil {
			t.Fatal(err)
		}
		id := rapid.StringMatching(`msg_[A-Za-z0-9]{1,40}`).Draw(t, "id")
		stamp := strconv.FormatInt(at.Unix(), 10)
		theirs, err := library.Sign(id, at, body)
		if err != nil {
			t.Fatal(err)
		}
		header := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {theirs}}
		if _, err := v.Verify(header, body); err != nil {
			t.Fatalf("it refuses the library's: %v", err)
		}
		mac := hmac.New(sha256.New, v.keys[0].shared)
		mac.Write([]byte(id + "." + stamp + "."))
		mac.Write(body)
		header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		if err := library.VerifyIgnoringTimestamp(body, header); err != nil && !strings.Contains(err.Error(), "JSON") {
			t.Fatalf("the library refuses it: %v", err)
		}
		if _, err := v.Verify(header, append(body, 'x')); !errors.Is(err, ErrSignature) {
			t.Fatalf("it accepts another body: %v", err)
		}
	})
}

// The vectors of Standard Webhooks.
func TestVectors(t *testing.T) {
	for name, test := range map[string]struct{ key, signature string }{
		"v1": {secret, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
		"v1a": {
			"whpk_" + publicKey(t, "6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="),
			"v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVerifier(t, time.Unix(1614265330, 0), other, test.key)
			header := http.Header{
				"Webhook-Id": {"msg_p5jXN8AQM9LWM0D4loKWxJek"}, "Webhook-Timestamp": {"1614265330"}, "Webhook-Signature": {test.signature},
			}
			if _, err := v.Verify(header, []byte(`{"test": 2432232314}`)); err != nil {
				t.Error(err)
			}
			if _, err := v.Verify(header, []byte(`{"test": 2432232315}`)); !errors.Is(err, ErrSignature) {
				t.Errorf("another body: %v", err)
			}
		})
	}
}

func publicKey(t *testing.T, private string) string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(private)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(ed25519.PrivateKey(key).Public().(ed25519.PublicKey))
}

// The sender's own hash is this package's, whatever an event says.
func TestCommitmentIsTheSenders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := someEvent(rapid.String().Draw(t, "object"), rapid.Uint64Range(1, 1<<40).Draw(t, "sequence"))
		e.Type = rapid.StringMatching(`[a-z.]{1,20}`).Draw(t, "type")
		e.Op = rapid.SampledFrom([]event.Op{event.OpCreate, event.OpChange, event.OpDelete}).Draw(t, "op")
		e.Changed = rapid.SampledFrom([]event.Pointers{nil, {}, {""}, {"/a b", "/ü,/~1"}}).Draw(t, "changed")
		e.ID = eventID("", e.Sequence)
		now := time.Unix(1_800_000_000, 0)
		v, err := NewVerifier(secret)
		if err != nil {
			t.Fatal(err)
		}
		v.Now = func() time.Time { return now }
		got, err := v.Verify(headersOf(t, e, secret, now, "{}"), []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if !got.Committed || got.ID != e.ID || got.Sequence != e.Sequence || got.Type != e.Type {
			t.Fatalf("got %+v", got)
		}
		if (got.Changed == nil) != (e.Changed == nil) || strings.Join(got.Changed, "\n") != strings.Join(e.Changed, "\n") {
			t.Fatalf("changed %q, want %q", got.Changed, e.Changed)
		}
	})
}

func TestSecrets(t *testing.T) {
	for _, bad := range []string{
		"", "whsec_", "whsec_not-base64", "whsec_c2hvcnQ=", "whpk_c2hvcnQ=", "whpk_?",
		"whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==",
	} {
		_, err := NewVerifier(secret, bad)
		if err == nil {
			t.Errorf("%q is accepted", bad)
			continue
		}
		if _, text, _ := strings.Cut(bad, "_"); len(text) > 5 && strings.Contains(err.Error(), text[:5]) {
			t.Errorf("the error for %q quotes it: %v", bad, err)
		}
	}
	if _, err := NewVerifier(); err == nil {
		t.Error("no secret at all is accepted")
	}
}

// A stranger's headers never cause a panic.
func FuzzVerify(f *testing.F) {
	f.Add("evt_0123456789abcdefghjkmnpqrstvwxyz_6mz8kamxatkxes0h0zna4cdzea", "7", "/a, /b%2c", "change")
	f.Add("evt__", "", "#", "")
	f.Add("evt_00000000000000000000000000_", "18446744073709551615", "%", "snapshot")
	f.Fuzz(func(t *testing.T, id, sequence, changed, op string) {
		header := make(http.Header)
		header.Set("webhook-id", id)
		header.Set("webhook-sequence", sequence)
		header.Set("webhook-changed", changed)
		header.Set("webhook-op", op)
		own, _ := split(id)
		if _, err := newEvent(header, nil, time.Time{}); err != nil && !errors.Is(err, ErrClaims) && !errors.Is(err, ErrHeaders) {
			t.Fatal(err)
		}
		header.Set("webhook-id", "evt_"+own+"_"+commitment("evt_"+own, header))
		e, err := newEvent(header, nil, time.Time{})
		if err != nil && !errors.Is(err, ErrHeaders) || err == nil && e.Sequence > 1<<63-1 {
			t.Fatal(e, err)
		}
	})
}
