// SPDX-License-Identifier: Apache-2.0

package sign

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// exampleKey is a key that is easy to find wherever it leaks.
var exampleKey = []byte("canary-canary-canary-canary!")

// privateKey is the key of RFC 9421's appendix B.1.4; privatePair is the one in
// the tests of Standard Webhooks' own server.
const (
	privateKey  = "whsk_n4Ni+HpISpVObnQMW0wOhCKROaIKqKtW/2ZYb2p9KcU="
	privatePair = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
)

func encode(key []byte) string {
	return Prefix + base64.StdEncoding.EncodeToString(key)
}

func mustParse(t testing.TB, text string) Secret {
	t.Helper()
	secret, err := ParseSecret(text)
	if err != nil {
		t.Fatalf("ParseSecret: %v", err)
	}
	return secret
}

func TestParseSecret(t *testing.T) {
	key := func(n int) string { return encode(bytes.Repeat([]byte{0xfb}, n)) }
	for _, test := range []struct {
		name, text string
		// want is part of the error, or "" if the text is a secret.
		want string
	}{
		{"shortest", key(24), ""},
		{"longest", key(64), ""},
		{"a byte too short", key(23), "it has 23 bytes; 24 to 64"},
		{"a byte too long", key(65), "it has 65 bytes; 24 to 64"},
		{"only the prefix", Prefix, "it has 0 bytes"},
		{"empty", "", "is the variable that holds it set?"},
		{"without prefix", strings.TrimPrefix(key(32), Prefix), "begin with whsec_"},
		{"a private key's seed", privateKey, ""},
		{"a private key and its public one", privatePair, ""},
		{"a private key and another public one", "whsk_" + strings.TrimPrefix(key(64), Prefix), "not that of its private one"},
		{"a private key of a wrong length", "whsk_" + strings.TrimPrefix(key(48), Prefix), "it has 48 bytes; an ed25519 key has 32"},
		{"a private key in a shared one's clothes", "whsk_" + key(64), "begin with whsec_ or whsk_"},
		{"public key", "whpk_JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=", "it is a public key"},
		{"placeholder left in place", "{env.SECRET}", "begin with whsec_"},
		{"white space before", " " + key(32), "begin with whsec_"},
		{"line end after", key(32) + "\n", "white space"},
		{"line end within", key(32)[:20] + "\r\n" + key(32)[20:], "white space"},
		{"URL-safe alphabet", strings.ReplaceAll(key(32), "+", "-"), "URL-safe"},
		{"without padding", strings.TrimRight(key(32), "="), "not standard base64"},
		{"other characters", Prefix + strings.Repeat("!", 40), "not standard base64"},
	} {
		t.Run(test.name, func(t *testing.T) {
			secret, err := ParseSecret(test.text)
			if test.want == "" {
				if err != nil || secret.IsZero() {
					t.Fatalf("got %v, zero %t", err, secret.IsZero())
				}
				return
			}
			if !errors.Is(err, ErrBadSecret) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want %q", err, test.want)
			}
			if !secret.IsZero() {
				t.Error("got a secret with the error")
			}
		})
	}
}

func TestSecretEqual(t *testing.T) {
	one, same := mustParse(t, encode(exampleKey)), mustParse(t, encode(exampleKey))
	other := mustParse(t, encode(bytes.Repeat([]byte{1}, 28)))
	for _, test := range []struct {
		name string
		a, b Secret
		want bool
	}{
		{"same key", one, same, true},
		{"other key", one, other, false},
		{"none and one", Secret{}, one, false},
		{"one and none", one, Secret{}, false},
		{"none and none", Secret{}, Secret{}, true},
		{"another end", one, same.Until(time.Unix(1, 0)), false},
		{"same end", one.Until(time.Unix(1, 0)), same.Until(time.Unix(1, 0)), true},
		{"same private key", mustParse(t, privateKey), mustParse(t, "whsk_n4Ni+HpISpVObnQMW0wOhCKROaIKqKtW/2ZYb2p9KcU="), true},
		{"a private key and a shared one", mustParse(t, privateKey), one, false},
	} {
		if got := test.a.Equal(test.b); got != test.want {
			t.Errorf("%s: got %t", test.name, got)
		}
	}
}

// TestSecretNeverShows prints a secret in every way that careless code might,
// also within other values.
func TestSecretNeverShows(t *testing.T) {
	type exported struct{ Secret Secret }
	type unexported struct{ secret Secret }
	secret := mustParse(t, encode(exampleKey))
	style, err := NewXSignature(Style{}, secret)
	if err != nil {
		t.Fatal(err)
	}
	values := []any{
		secret, &secret, secret.Until(time.Unix(1, 0)),
		style,
		[]Scheme{style},
		[]Secret{secret},
		map[string]Secret{"a": secret},
		exported{secret},
		&exported{secret},
		unexported{secret},
		&unexported{secret},
		[]unexported{{secret}},
	}

	var out bytes.Buffer
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	zapped := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&out), zap.DebugLevel))
	for _, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U", "%t", "%e"} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
		text, err := json.Marshal(value)
		fmt.Fprintln(&out, string(text), err)
		zapped.Info("any", zap.Any("value", value), zap.Reflect("reflected", value))
		zapped.Sugar().Infow("sugar", "value", value)
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "value", value)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "value", value)
	}
	_, err = ParseSecret(encode(exampleKey) + "x")
	fmt.Fprintln(&out, err)
	_, err = ParseKey(string(exampleKey) + "\n")
	fmt.Fprintln(&out, err)

	printed := out.String()
	for _, leak := range []string{
		"canary", strings.TrimPrefix(encode(exampleKey), Prefix)[:12],
		fmt.Sprintf("%x", exampleKey[:6]), fmt.Sprintf("%X", exampleKey[:6]),
		"99 97 110 97 114", "0x63, 0x61", "143 141 156", "U+0063 U+0061",
	} {
		if i := strings.Index(printed, leak); i >= 0 {
			t.Errorf("%q shows: …%s", leak, printed[max(0, i-80):i+20])
		}
	}
	if !strings.Contains(printed, redacted) {
		t.Error("nothing was redacted: the test prints nothing")
	}
}

func FuzzParseSecret(f *testing.F) {
	f.Add(encode(exampleKey))
	f.Add(encode(make([]byte, 24)))
	f.Add(encode(make([]byte, 64)))
	f.Add(encode(make([]byte, 65)))
	f.Add("")
	f.Add("whsec_")
	f.Add("whsec_ AAAA\n")
	f.Add("whpk_AAAA")
	f.Add(privateKey)
	f.Add(privatePair)
	f.Fuzz(func(t *testing.T, text string) {
		secret, err := ParseSecret(text)
		if err != nil {
			if !errors.Is(err, ErrBadSecret) || !secret.IsZero() {
				t.Fatalf("got error %v and secret %t", err, !secret.IsZero())
			}
			// Shorter texts may appear in the message's own words.
			if encoded := strings.TrimPrefix(text, Prefix); len(encoded) >= 16 && strings.Contains(err.Error(), encoded) {
				t.Fatalf("the error contains the text: %v", err)
			}
			return
		}
		if secret.IsPrivate() {
			if !strings.HasPrefix(secret.Public(), PublicPrefix) {
				t.Fatalf("the public key is %q", secret.Public())
			}
			return
		}
		if n := len(secret.material().key); n < MinKeyLength || n > MaxKeyLength {
			t.Fatalf("accepted a key of %d bytes", n)
		}
		if again := mustParse(t, encode(secret.material().key)); !again.Equal(secret) {
			t.Fatal("the key does not survive being encoded again")
		}
	})
}

func TestParseKey(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"an API key", "sk_live_1234", ""},
		{"shortest", "12345678", ""},
		{"empty", "", "is the variable that holds it set?"},
		{"too short", "1234567", "8 to 1024 are possible"},
		{"too long", strings.Repeat("x", 1025), "8 to 1024 are possible"},
		{"a line end, as files have", "sk_live_1234\n", "white space"},
	} {
		key, err := ParseKey(test.text)
		if ok := test.want == ""; ok != (err == nil) || ok == key.IsZero() || !ok && (!errors.Is(err, ErrBadSecret) || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
}

// TestPublic compares with what openssl prints for the same key.
func TestPublic(t *testing.T) {
	if got := mustParse(t, privateKey).Public(); got != "whpk_JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=" {
		t.Errorf("got %s", got)
	}
	if got := mustParse(t, encode(exampleKey)).Public() + (Secret{}).Public(); got != "" {
		t.Errorf("a shared secret, or none, has the public key %s", got)
	}
}

func TestFingerprint(t *testing.T) {
	shared, private := mustParse(t, encode(exampleKey)), mustParse(t, privateKey)
	for _, secret := range []Secret{shared, private} {
		if name := secret.Fingerprint(); len(name) != 16 || name != secret.Until(time.Unix(1, 0)).Fingerprint() {
			t.Errorf("got %q", name)
		}
	}
	if shared.Fingerprint() == private.Fingerprint() || (Secret{}).Fingerprint() != "" {
		t.Error("different secrets have one name")
	}
}
