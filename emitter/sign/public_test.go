// SPDX-License-Identifier: Apache-2.0

package sign

import (
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The keys that are told verify what is signed, under the names that signatures give them.
func TestPublicKeys(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	private := func(seed string) Secret {
		secret, err := ParseSecret(PrivatePrefix + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(seed, ed25519.SeedSize))))
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	shared, err := ParseSecret(Prefix + base64.StdEncoding.EncodeToString(make([]byte, MinKeyLength)))
	if err != nil {
		t.Fatal(err)
	}
	named, err := NewMessageSignatures("first", "second")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := NewMessageSignatures()
	if err != nil {
		t.Fatal(err)
	}
	styled, err := NewXSignature(Style{}, shared)
	if err != nil {
		t.Fatal(err)
	}
	current, old, ended := private("a"), private("b").Until(now.Add(time.Hour)), private("c").Until(now)
	for name, test := range map[string]struct {
		schemes []Scheme
		secrets []Secret
		want    []string // name and key
	}{
		"by default":       {nil, []Secret{current}, []string{current.Fingerprint() + " " + current.Public()}},
		"shared":           {nil, []Secret{shared}, nil},
		"none":             {[]Scheme{}, []Secret{current}, nil},
		"of another kind":  {[]Scheme{styled}, []Secret{current}, nil},
		"replaced":         {nil, []Secret{current, old, ended}, []string{current.Fingerprint() + " " + current.Public(), old.Fingerprint() + " " + old.Public()}},
		"with names":       {[]Scheme{named}, []Secret{shared, current}, []string{"second " + current.Public()}},
		"in two ways":      {[]Scheme{Standard{}, plain}, []Secret{current}, []string{current.Fingerprint() + " " + current.Public()}},
		"by another name":  {[]Scheme{Standard{}, named}, []Secret{current}, []string{current.Fingerprint() + " " + current.Public(), "first " + current.Public()}},
		"without a secret": {nil, []Secret{{}}, nil},
	} {
		var got []string
		for _, key := range PublicKeys(test.schemes, test.secrets, now) {
			got = append(got, key.ID+" "+key.String())
			if !key.Until.Equal(map[string]time.Time{old.Public(): now.Add(time.Hour)}[key.String()]) {
				t.Errorf("%s: %s ends at %v", name, key, key.Until)
			}
		}
		if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}

	header := http.Header{}
	message := Message{ID: "evt_1", At: now, URL: &url.URL{Scheme: "https", Host: "erp.example"}, Body: []byte("body")}
	Standard{}.Sign(message, []Secret{current}, header)
	signature, _ := strings.CutPrefix(header.Get("Webhook-Signature"), "v1a,")
	decoded, err := base64.StdEncoding.DecodeString(signature)
	if key := PublicKeys(nil, []Secret{current}, now)[0].Key; err != nil || !ed25519.Verify(key, []byte("evt_1.1700000000.body"), decoded) {
		t.Errorf("%x does not verify %q: %v", key, header, err)
	}
	named.Sign(message, []Secret{current}, header)
	if id := PublicKeys([]Scheme{named}, []Secret{current}, now)[0].ID; !strings.Contains(header.Get("Signature-Input"), `keyid="`+id+`"`) {
		t.Errorf("no key is called %s in %s", id, header.Get("Signature-Input"))
	}
}
