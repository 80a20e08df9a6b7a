// SPDX-License-Identifier: Apache-2.0

package sign

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func mustKey(t testing.TB, text string) Secret {
	t.Helper()
	key, err := ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// stylesMessage is the message that openssl signed for TestStyles.
var stylesMessage = Message{ID: "evt_1", At: time.Unix(1614265330, 0), Body: []byte(`{"id":"42","state":"paid"}`)}

// TestStyles compares with openssl dgst -hmac, of the body alone or with the
// style's prefix.
func TestStyles(t *testing.T) {
	const (
		sha1Sum   = "a422eccd16f00b23809f7712894983b72fa1745d"
		sha256Sum = "1f8d3739547d135105d45ab4b437b99b7b6543deaa97f673bff512517b6080d0"
		sha512Sum = "e059b29e0b8410baf31c274def1048af9b26896ebfde46aaaf440cd49ec1091103071a4e82ba13aab892614f35b68b342a7f383097e3a808e53a035d4b0796c1"
		base64Sum = "H403OVR9E1EF1Fq0tDe5m3tlQ96ql/Zzv/USUXtggNA="
		timedSum  = "8d9ea1cc405e3d8ca5e817b1b7d8c86941de9336805891dde29acc224592f997"
		olderSum  = "2f5f4231ec4ec2c8d816987dcf08314064dd95e594e881d0e836052c3802ccaa"
		slackSum  = "d9b38449a5c0cefd28e6cdb5ffcd8495654a77b9676dd3f4eb8d931fe876d71c"
	)
	current, older := mustKey(t, "gateway-api-key-0123456789"), mustKey(t, "gateway-api-key-9876543210")
	preset := func(name string) Style {
		style, err := Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		return style
	}
	for _, test := range []struct {
		name  string
		style Style
		keys  []Secret
		want  map[string]string
	}{
		{"the plainest", Style{}, []Secret{current}, map[string]string{"X-Signature": sha256Sum}},
		{"hex", preset("hex"), []Secret{current}, map[string]string{"X-Signature": sha256Sum}},
		{"base64", preset("base64"), []Secret{current}, map[string]string{"X-Signature": base64Sum}},
		{"sha256", preset("sha256"), []Secret{current}, map[string]string{"X-Signature": "sha256=" + sha256Sum}},
		{"github", preset("github"), []Secret{current}, map[string]string{"X-Hub-Signature-256": "sha256=" + sha256Sum}},
		{"shopify", preset("shopify"), []Secret{current}, map[string]string{"X-Shopify-Hmac-Sha256": base64Sum}},
		{"timestamped", preset("timestamped"), []Secret{current}, map[string]string{"X-Signature": "t=1614265330,v1=" + timedSum}},
		{"stripe", preset("stripe"), []Secret{current}, map[string]string{"Stripe-Signature": "t=1614265330,v1=" + timedSum}},
		{"stripe, rotating", preset("stripe"), []Secret{current, older}, map[string]string{"Stripe-Signature": "t=1614265330,v1=" + timedSum + ",v1=" + olderSum}},
		{"stripe, rotated", preset("stripe"), []Secret{current, older.Until(stylesMessage.At)}, map[string]string{"Stripe-Signature": "t=1614265330,v1=" + timedSum}},
		{"slack", preset("slack"), []Secret{current}, map[string]string{"X-Slack-Signature": "v0=" + slackSum, "X-Slack-Request-Timestamp": "1614265330"}},
		{"sha1", Style{Header: "x-hub-signature", Algorithm: "sha1", Value: "sha1={signature}"}, []Secret{current}, map[string]string{"X-Hub-Signature": "sha1=" + sha1Sum}},
		{"sha512", Style{Algorithm: "sha512"}, []Secret{current}, map[string]string{"X-Signature": sha512Sum}},
		{
			"a list with the signature first and others after",
			Style{Value: "s={signature};x,t={timestamp},id={id}", Content: "{timestamp}.{body}"},
			[]Secret{current, older},
			map[string]string{"X-Signature": "s=" + timedSum + ";x,s=" + olderSum + ";x,t=1614265330,id=evt_1"},
		},
		{
			"a list with the signature within",
			Style{Value: "t={timestamp},v={signature},a=b", Content: "{timestamp}.{body}"},
			[]Secret{current, older},
			map[string]string{"X-Signature": "t=1614265330,v=" + timedSum + ",v=" + olderSum + ",a=b"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			scheme, err := NewXSignature(test.style, test.keys...)
			if err != nil {
				t.Fatal(err)
			}
			header := http.Header{}
			scheme.Sign(stylesMessage, nil, header)
			if len(header) != len(test.want) {
				t.Errorf("got %v", header)
			}
			for name, want := range test.want {
				if got := header.Values(name); len(got) != 1 || got[0] != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
				if !slices.Contains(scheme.Headers(), name) {
					t.Errorf("Headers lacks %s", name)
				}
			}
		})
	}
}

func TestStylesThatCannotBe(t *testing.T) {
	key := mustKey(t, "gateway-api-key")
	for _, test := range []struct {
		name  string
		style Style
		keys  []Secret
		want  string
	}{
		{"no key", Style{}, nil, "needs a key"},
		{"an empty key", Style{}, []Secret{{}}, "needs a key"},
		{"a private key", Style{}, []Secret{mustParse(t, privateKey)}, "not an ed25519 one"},
		{"two keys for one signature", Style{}, []Secret{key, key}, "holds one signature"},
		{"a header that is none", Style{Header: "X Signature"}, []Secret{key}, "not a header's name"},
		{"a header that is needed", Style{Header: "webhook-id"}, []Secret{key}, "use of its own"},
		{"a header of the connection", Style{Header: "content-length"}, []Secret{key}, "use of its own"},
		{"a time in a header that is needed", Style{TimestampHeader: "Host"}, []Secret{key}, "use of its own"},
		{"another hash", Style{Algorithm: "md5"}, []Secret{key}, "sha256, sha512 or sha1"},
		{"another encoding", Style{Encoding: "base32"}, []Secret{key}, "hex or base64"},
		{"a content without the body", Style{Content: "{timestamp}"}, []Secret{key}, "{body} must stand there once"},
		{"a content with two bodies", Style{Content: "{body}{body}"}, []Secret{key}, "{body} must stand there once"},
		{"a content with something else", Style{Content: "{url}.{body}"}, []Secret{key}, "one of body, timestamp, id"},
		{"a brace left open", Style{Content: "{body}{"}, []Secret{key}, "one of body, timestamp, id"},
		{"a value without the signature", Style{Value: "t={timestamp}"}, []Secret{key}, "{signature} must stand there once"},
		{"a value that is no header's", Style{Value: "a\r\nb: {signature}"}, []Secret{key}, "no header can hold"},
	} {
		scheme, err := NewXSignature(test.style, test.keys...)
		if !errors.Is(err, ErrBadScheme) || !strings.Contains(err.Error(), test.want) || scheme != nil {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
	if _, err := Preset("twitter"); !errors.Is(err, ErrBadScheme) || !strings.Contains(err.Error(), "base64, github, hex") {
		t.Errorf("got %v", err)
	}
}

func TestStylesEqual(t *testing.T) {
	key, other := mustKey(t, "gateway-api-key"), mustKey(t, "another-api-key")
	make1 := func(style Style, keys ...Secret) *XSignature {
		scheme, err := NewXSignature(style, keys...)
		if err != nil {
			t.Fatal(err)
		}
		return scheme
	}
	one := make1(Style{}, key)
	for _, test := range []struct {
		name  string
		other Scheme
		want  bool
	}{
		{"the same, its defaults written out", make1(Style{Header: "x-signature", Content: "{body}"}, mustKey(t, "gateway-api-key")), true},
		{"another key", make1(Style{}, other), false},
		{"an end of the key", make1(Style{}, key.Until(time.Unix(1, 0))), false},
		{"another style", make1(Style{Encoding: "base64"}, key), false},
		{"another scheme", Standard{}, false},
	} {
		if one.Equal(test.other) != test.want || test.other.Equal(one) != test.want {
			t.Errorf("%s: want %t", test.name, test.want)
		}
	}
}

// TestStylesConcurrently checks that prepared hashes are never shared.
func TestStylesConcurrently(t *testing.T) {
	scheme, err := NewXSignature(Style{Content: "{timestamp}.{body}"}, mustKey(t, "gateway-api-key"))
	if err != nil {
		t.Fatal(err)
	}
	signature := func(m Message) string {
		header := http.Header{}
		scheme.Sign(m, nil, header)
		return header.Get("X-Signature")
	}
	var group sync.WaitGroup
	for i := range 8 {
		m := Message{At: time.Unix(int64(i), 0), Body: make([]byte, 100*i)}
		want := signature(m)
		group.Go(func() {
			for range 300 {
				if got := signature(m); got != want {
					t.Errorf("goroutine %d: got %s, want %s", i, got, want)
					return
				}
			}
		})
	}
	group.Wait()
}

// FuzzNewXSignature checks that no style panics, and that accepted styles make
// headers that can be sent.
func FuzzNewXSignature(f *testing.F) {
	for _, style := range presets {
		style = style.withDefaults()
		f.Add(style.Header, style.Content, style.Value)
	}
	f.Add("X-Signature", "{body", "{signature},{")
	f.Add("X-Signature", "{id}{timestamp}{body}", ",,{signature},,")
	key, _ := ParseKey("gateway-api-key")
	f.Fuzz(func(t *testing.T, name, content, value string) {
		scheme, err := NewXSignature(Style{Header: name, Content: content, Value: value}, key)
		if err != nil {
			if !errors.Is(err, ErrBadScheme) {
				t.Fatalf("got %v", err)
			}
			return
		}
		header := http.Header{}
		scheme.Sign(stylesMessage, nil, header)
		for name, values := range header {
			if err := CheckHeader(name); err != nil || len(values) != 1 || strings.ContainsAny(values[0], "\r\n\x00") {
				t.Fatalf("%s: %q, %v", name, values, err)
			}
		}
	})
}

// TestValueSplits compares a value with two keys with the plainest way to write
// it: the parts between commas, the one with the signature twice.
func TestValueSplits(t *testing.T) {
	key := mustKey(t, "gateway-api-key")
	rapid.Check(t, func(t *rapid.T) {
		items := rapid.SliceOfN(rapid.SampledFrom([]string{"", "a", "t={timestamp}", "{id}x{timestamp}", "b=c"}), 1, 4).Draw(t, "items")
		at := rapid.IntRange(0, len(items)).Draw(t, "at")
		item := rapid.SampledFrom([]string{"{signature}", "v={signature}", "{id}{signature}z"}).Draw(t, "item")
		all := slices.Insert(slices.Clone(items), at, item)
		scheme, err := NewXSignature(Style{Value: strings.Join(all, ",")}, key, key)
		if err != nil {
			t.Fatal(err)
		}
		header := http.Header{}
		scheme.Sign(stylesMessage, nil, header)
		plain, err := NewXSignature(Style{}, key)
		if err != nil {
			t.Fatal(err)
		}
		signature := http.Header{}
		plain.Sign(stylesMessage, nil, signature)
		want := strings.NewReplacer("{timestamp}", "1614265330", "{id}", "evt_1", "{signature}", signature.Get("X-Signature")).
			Replace(strings.Join(slices.Insert(all, at, item), ","))
		if got := header.Get("X-Signature"); got != want {
			t.Fatalf("%q: got %q, want %q", all, got, want)
		}
	})
}
