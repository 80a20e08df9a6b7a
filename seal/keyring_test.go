// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func key(t testing.TB, fill byte) Key {
	t.Helper()
	k, err := ParseKey(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, KeyLength)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func ring(t testing.TB, current Key, previous ...Key) *Keyring {
	t.Helper()
	r, err := NewKeyring(current, previous...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestParseKey(t *testing.T) {
	good := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xfb}, KeyLength))
	for _, text := range []string{good, good + "\n", "\t " + good + "\r\n"} {
		if _, err := ParseKey(text); err != nil {
			t.Errorf("ParseKey(%q): %v", text, err)
		}
	}
	for name, text := range map[string]string{
		"empty":       "",
		"white space": " \n",
		"short":       base64.StdEncoding.EncodeToString(make([]byte, 31)),
		"long":        base64.StdEncoding.EncodeToString(make([]byte, 33)),
		"hex":         strings.Repeat("ab", KeyLength),
		"no padding":  strings.TrimRight(good, "="),
		"URL-safe":    strings.NewReplacer("+", "-", "/", "_").Replace(good),
		"junk":        "s3cr3t passphrase!",
	} {
		_, err := ParseKey(text)
		if !errors.Is(err, ErrBadKey) {
			t.Errorf("%s: got %v", name, err)
		}
		if len(text) > 4 && strings.Contains(fmt.Sprint(err), text[:4]) {
			t.Errorf("%s: the error shows the text: %v", name, err)
		}
	}
}

func TestReveal(t *testing.T) {
	k := NewKey()
	again, err := ParseKey(k.Reveal())
	if err != nil || !k.Equal(again) || k.ID() != again.ID() || k.Equal(NewKey()) {
		t.Errorf("got %v, %v", again.ID(), err)
	}
	if (Key{}).Reveal() != "" || (Key{}).ID() != "" || !(Key{}).Equal(Key{}) || (Key{}).Equal(k) {
		t.Error("the zero key does not mean no key")
	}
}

func TestSealAndOpen(t *testing.T) {
	one, two, three := key(t, 1), key(t, 2), key(t, 3)
	plain, associated := []byte("whsec_secret"), []byte("endpoint/erp")
	sealed := ring(t, one).Seal(plain, associated)
	if len(sealed) != len(plain)+Overhead {
		t.Errorf("%d bytes are sealed as %d", len(plain), len(sealed))
	}
	if bytes.Contains(sealed, plain) {
		t.Error("the plain text can be read")
	}
	for _, test := range []struct {
		name       string
		ring       *Keyring
		associated string
		stale      bool
		err        error
	}{
		{"current", ring(t, one), "endpoint/erp", false, nil},
		{"current, with a previous one", ring(t, one, two), "endpoint/erp", false, nil},
		{"previous", ring(t, two, one), "endpoint/erp", true, nil},
		{"previous of several", ring(t, three, two, one), "endpoint/erp", true, nil},
		{"current, given twice", ring(t, one, one), "endpoint/erp", false, nil},
		{"another's", ring(t, one), "endpoint/crm", false, ErrDamaged},
		{"nobody's", ring(t, one), "", false, ErrDamaged},
		{"another key", ring(t, two, three), "endpoint/erp", false, ErrUnknownKey},
	} {
		got, stale, err := test.ring.Open(sealed, []byte(test.associated))
		if !errors.Is(err, test.err) || stale != test.stale || err == nil && !bytes.Equal(got, plain) {
			t.Errorf("%s: got %q, %v, %v", test.name, got, stale, err)
		}
		if err != nil && got != nil {
			t.Errorf("%s: a text comes with the error", test.name)
		}
	}
	if again := ring(t, one).Seal(plain, associated); bytes.Equal(again, sealed) {
		t.Error("the same text is sealed the same way twice")
	}
	empty := ring(t, one).Seal(nil, nil)
	if got, _, err := ring(t, one).Open(empty, nil); err != nil || len(got) != 0 {
		t.Errorf("an empty text: %q, %v", got, err)
	}
}

// A sealed text does not open after any change.
func TestTampering(t *testing.T) {
	r := ring(t, key(t, 1), key(t, 2))
	sealed := r.Seal([]byte("secret"), []byte("a"))
	for i := range sealed {
		for bit := range 8 {
			changed := bytes.Clone(sealed)
			changed[i] ^= 1 << bit
			if plain, _, err := r.Open(changed, []byte("a")); err == nil {
				t.Errorf("byte %d, bit %d: opens as %q", i, bit, plain)
			}
		}
	}
	for n := range sealed {
		if _, _, err := r.Open(sealed[:n], []byte("a")); err == nil {
			t.Errorf("the first %d bytes open", n)
		}
	}
	if _, _, err := r.Open(append([]byte{9}, sealed[1:]...), []byte("a")); !errors.Is(err, ErrNewerFormat) {
		t.Errorf("a newer version: %v", err)
	}
	// Another key's id is detected too: the id is authenticated.
	other := bytes.Clone(sealed)
	two := key(t, 2)
	copy(other[1:], two.material().id[:])
	if _, _, err := r.Open(other, []byte("a")); !errors.Is(err, ErrDamaged) {
		t.Errorf("another key's id: %v", err)
	}
}

// Texts that an earlier version sealed must open forever.
func TestGolden(t *testing.T) {
	const golden = "01002e955df4e9e28a" // version and id of the key of 0x01 bytes
	sealed := ring(t, key(t, 1)).Seal([]byte("secret"), []byte("endpoint/erp"))
	if got := hex.EncodeToString(sealed[:headerLength]); got != golden {
		t.Errorf("the header is %s, want %s", got, golden)
	}
	const old = "01002e955df4e9e28a52bb5bc241123b84f196e1f170d8662aae7bf12fc7a624eb34c4cc287430353abd69"
	stored, err := hex.DecodeString(old)
	if err != nil {
		t.Fatal(err)
	}
	plain, stale, err := ring(t, key(t, 1)).Open(stored, []byte("endpoint/erp"))
	if err != nil || stale || string(plain) != "secret" {
		t.Errorf("what was sealed before: %q, %v, %v; sealed now: %x", plain, stale, err, sealed)
	}
}

func TestNoKey(t *testing.T) {
	if _, err := NewKeyring(Key{}, key(t, 1)); err == nil {
		t.Error("NewKeyring accepts a missing current key")
	}
	r := ring(t, key(t, 1), Key{})
	if len(r.keys) != 1 {
		t.Error("the zero key is in the keyring")
	}
}

// A key never shows, however it is printed.
func TestRedaction(t *testing.T) {
	k := key(t, 0x41)
	shown := []string{"AAAA", "QUFB", strings.Repeat("41", 4), "65 65 65"}
	around := struct {
		k Key
		p *Key
		r *Keyring
	}{k, &k, ring(t, k)}
	marshalled, err := json.Marshal(map[string]any{"key": k, "ring": around.r})
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("m", "key", k, "ring", around.r)
	outputs := []string{string(marshalled), logged.String(), k.String(), k.GoString(), around.r.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		outputs = append(outputs, fmt.Sprintf(verb, k), fmt.Sprintf(verb, around), fmt.Sprintf(verb, around.r))
	}
	for _, output := range outputs {
		for _, secret := range shown {
			if strings.Contains(output, secret) {
				t.Errorf("the key shows in %s", output)
			}
		}
	}
}

func FuzzOpen(f *testing.F) {
	r := ring(f, key(f, 1), key(f, 2))
	f.Add([]byte{}, []byte("a"))
	f.Add([]byte{version}, []byte{})
	f.Add(r.Seal([]byte("secret"), []byte("a")), []byte("b"))
	f.Add(ring(f, key(f, 3)).Seal([]byte("secret"), []byte("a")), []byte("a"))
	f.Fuzz(func(t *testing.T, sealed, associated []byte) {
		plain, _, err := r.Open(sealed, associated)
		if err == nil && (string(plain) != "secret" || string(associated) != "a") {
			t.Errorf("%x opens as %q", sealed, plain)
		}
	})
}
