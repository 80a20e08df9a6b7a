// SPDX-License-Identifier: Apache-2.0

package sign

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"
)

// TestMessageVectors are the examples of RFC 9421, appendices B.2.5 and B.2.6.
func TestMessageVectors(t *testing.T) {
	created := time.Unix(1618884473, 0)
	for _, test := range []struct {
		name, secret, keyID string
		covered             []component
		base, want          string
	}{
		{
			"hmac-sha256",
			"whsec_uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==",
			"test-shared-secret",
			[]component{{"date", "Tue, 20 Apr 2021 02:07:55 GMT"}, {"@authority", "example.com"}, {"content-type", "application/json"}},
			`"date": Tue, 20 Apr 2021 02:07:55 GMT
"@authority": example.com
"content-type": application/json
"@signature-params": ("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"`,
			"pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=",
		},
		{
			"ed25519", privateKey, "test-key-ed25519",
			[]component{
				{"date", "Tue, 20 Apr 2021 02:07:55 GMT"},
				{"@method", "POST"},
				{"@path", "/foo"},
				{"@authority", "example.com"},
				{"content-type", "application/json"},
				{"content-length", "18"},
			},
			`"date": Tue, 20 Apr 2021 02:07:55 GMT
"@method": POST
"@path": /foo
"@authority": example.com
"content-type": application/json
"content-length": 18
"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"`,
			"wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
		},
	} {
		base := signatureBase(test.covered, parameters(test.covered, created, test.keyID, ""))
		if string(base) != test.base {
			t.Errorf("%s: the base is\n%s", test.name, base)
		}
		if got := base64.StdEncoding.EncodeToString(mustParse(t, test.secret).signMessage(base)); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

// TestContentDigestVector is the example of RFC 9530, appendix B.1.
func TestContentDigestVector(t *testing.T) {
	if got := contentDigest([]byte(`{"hello": "world"}` + "\n")); got != "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:" {
		t.Errorf("got %s", got)
	}
}

// received is a request in the form that its receiver gets.
type received struct {
	method, uri string
	header      http.Header
}

// component returns the value of a component by the rules of RFC 9421, section
// 2, independently of the package.
func (r received) component(name string) (string, error) {
	switch name {
	case "@method":
		return r.method, nil
	case "@target-uri":
		return r.uri, nil
	}
	values := r.header.Values(name)
	if len(values) == 0 {
		return "", fmt.Errorf("the message has no %s", name)
	}
	return strings.Join(values, ", "), nil
}

// verifyMessage verifies as a receiver does: it parses the headers as
// structured fields and builds the base from them.
func verifyMessage(r received, label string, verify func(algorithm, keyID string, base, signature []byte) bool) error {
	inputs, err := httpsfv.UnmarshalDictionary(r.header.Values("Signature-Input"))
	if err != nil {
		return err
	}
	signatures, err := httpsfv.UnmarshalDictionary(r.header.Values("Signature"))
	if err != nil {
		return err
	}
	input, ok := inputs.Get(label)
	signature, ok2 := signatures.Get(label)
	if !ok || !ok2 {
		return fmt.Errorf("there is no %s", label)
	}
	list := input.(httpsfv.InnerList)
	var base strings.Builder
	for _, item := range list.Items {
		value, err := r.component(item.Value.(string))
		if err != nil {
			return err
		}
		fmt.Fprintf(&base, "%q: %s\n", item.Value, value)
	}
	params, err := httpsfv.Marshal(httpsfv.List{list})
	if err != nil {
		return err
	}
	fmt.Fprintf(&base, `"@signature-params": %s`, params)
	algorithm, _ := list.Params.Get("alg")
	keyID, _ := list.Params.Get("keyid")
	if !verify(algorithm.(string), keyID.(string), []byte(base.String()), signature.(httpsfv.Item).Value.([]byte)) {
		return errors.New("the signature is wrong")
	}
	return nil
}

// TestMessageSignatures verifies with an independent receiver, and tampers with
// everything that is covered.
func TestMessageSignatures(t *testing.T) {
	private := mustParse(t, privateKey)
	secrets := []Secret{private, newSecret(exampleKey), newSecret([]byte("long gone, long gone, long gone")).Until(time.Unix(1618884000, 0))}
	scheme, err := NewMessageSignatures("key 2026")
	if err != nil {
		t.Fatal(err)
	}
	if err := scheme.Check(secrets); err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse("https://erp.example.com:8443?q=a%20b")
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"id": 42}`)
	header := http.Header{"Webhook-Id": {"evt_1"}, "Webhook-Event": {"items.paid"}, "Content-Type": {"application/json; charset=utf-8"}}
	scheme.Sign(Message{
		ID: "evt_1", At: time.Unix(1618884473, 0), URL: to, ContentType: header.Get("Content-Type"), Body: body,
		Header: [][2]string{{"Webhook-Event", "items.paid"}},
	}, secrets, header)

	verify := func(algorithm, keyID string, base, signature []byte) bool {
		switch {
		case algorithm == "ed25519" && keyID == "key 2026":
			return ed25519.Verify(private.material().publicKey(), base, signature)
		case algorithm == "hmac-sha256" && keyID == secrets[1].Fingerprint():
			h := hmac.New(sha256.New, exampleKey)
			h.Write(base)
			return hmac.Equal(h.Sum(nil), signature)
		}
		return false
	}
	good := received{"POST", "https://erp.example.com:8443/?q=a%20b", header}
	for _, label := range []string{"sig1", "sig2"} {
		if err := verifyMessage(good, label, verify); err != nil {
			t.Errorf("%s: %v", label, err)
		}
		for name, meddle := range map[string]func(*received){
			"method":       func(r *received) { r.method = "PUT" },
			"uri":          func(r *received) { r.uri += "c" },
			"digest":       func(r *received) { r.header.Set("Content-Digest", contentDigest([]byte("other"))) },
			"id":           func(r *received) { r.header.Set("webhook-id", "evt_2") },
			"event":        func(r *received) { r.header.Set("webhook-event", "items.deleted") },
			"content type": func(r *received) { r.header.Set("Content-Type", "text/plain") },
			"time": func(r *received) {
				r.header.Set("Signature-Input", strings.ReplaceAll(r.header.Get("Signature-Input"), "1618884473", "1618884474"))
			},
		} {
			bad := received{good.method, good.uri, good.header.Clone()}
			meddle(&bad)
			if verifyMessage(bad, label, verify) == nil {
				t.Errorf("%s: accepted with another %s", label, name)
			}
		}
	}
	if strings.Contains(header.Get("Signature-Input"), "sig3") {
		t.Error("a secret that has ended signs")
	}
	if got := header.Get("Content-Digest"); got != contentDigest(body) {
		t.Errorf("the digest is %s", got)
	}

	// Without a secret there are no headers at all.
	empty := http.Header{}
	scheme.Sign(Message{ID: "evt_1", At: time.Unix(1618884473, 0), URL: to}, secrets[2:], empty)
	if len(empty) != 0 {
		t.Errorf("got %v without a secret", empty)
	}
	plain := http.Header{"Webhook-Id": {"evt_1"}}
	scheme.Sign(Message{ID: "evt_1", At: time.Unix(1618884473, 0), URL: to}, secrets, plain)
	if err := verifyMessage(received{"POST", good.uri, plain}, "sig2", verify); err != nil {
		t.Errorf("without a content type: %v", err)
	}
}

func TestMessageSignaturesThatCannotBe(t *testing.T) {
	for _, id := range []string{"", `a"b`, `a\b`, "ü", "a\nb", strings.Repeat("k", maxKeyID+1)} {
		if _, err := NewMessageSignatures(id); !errors.Is(err, ErrBadScheme) {
			t.Errorf("key id %q: got %v", id, err)
		}
	}
	one, err := NewMessageSignatures("a")
	if err != nil {
		t.Fatal(err)
	}
	two, err := NewMessageSignatures("a", "b")
	if err != nil {
		t.Fatal(err)
	}
	if one.Check(nil) == nil || two.Check([]Secret{newSecret(exampleKey)}) == nil {
		t.Error("accepted without enough secrets")
	}
	again, err := NewMessageSignatures("a")
	if err != nil {
		t.Fatal(err)
	}
	if one.Equal(two) || one.Equal(Standard{}) || !one.Equal(again) {
		t.Error("Equal is wrong")
	}
}
