// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// matched returns what a request matches.
func matched(t testing.TB, m *matcher, method, target string) (*match, *url.URL) {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatal(err)
	}
	var found match
	if !m.find(method, u, &found) {
		t.Fatalf("%s %s matches nothing", method, target)
	}
	return &found, u
}

func TestIdentify(t *testing.T) {
	m := compileFor(t,
		&Resource{Name: "items"},
		&Resource{Name: "batch_transactions"},
		&Resource{Name: "addresses", Show: &Request{Path: "/v1/addresses/:id"}},
		&Resource{Name: "goods", ID: []string{"data.0.sku"}},
		&Resource{Name: "processes", Show: &Request{Path: "/dossiers/:dossier/processes/:id"}},
	)
	for i, tc := range []struct {
		target string
		answer captured
		want   string // "" for none
	}{
		{"/items", captured{body: []byte(`{"id":"7"}`)}, "items/7"},
		{"/items", captured{body: []byte(`{"items":{"id":7}}`)}, "items/7"},
		{"/items", captured{body: []byte(`{"item":{"id":7}}`)}, "items/7"},
		{"/items", captured{body: []byte(`{"data":{"id":"7"}}`)}, "items/7"},
		{"/items", captured{body: []byte(`{"id":null,"item":{"id":7}}`)}, "items/7"},
		{"/items", captured{body: []byte(`{"id":"","item":{"id":7}}`)}, "items/7"},
		{"/items", captured{body: []byte(`{"id":{"a":1}}`)}, ""},
		{"/items", captured{body: []byte(`{"id":true}`)}, ""},
		// Numbers as they stand.
		{"/items", captured{body: []byte(`{"id":9007199254740993}`)}, "items/9007199254740993"},
		{"/items", captured{body: []byte(`{"id":"a/b c"}`)}, "items/a%2Fb%20c"},
		{"/batch_transactions", captured{body: []byte(`{"batch_transaction":{"id":"x"}}`)}, "batch_transactions/x"},
		{"/v1/addresses", captured{body: []byte(`{"address":{"id":"x"}}`)}, "addresses/x"},
		{"/goods", captured{body: []byte(`{"id":"no","data":[{"sku":"x1"}]}`)}, "goods/x1"},
		{"/dossiers/d1/processes", captured{body: []byte(`{"id":"p1"}`)}, "processes/d1/p1"},
		// Location, where the body does not tell.
		{"/items", captured{location: "/items/7"}, "items/7"},
		{"/items", captured{location: "/items/7/"}, "items/7"},
		{"/items", captured{location: "items/7"}, "items/7"},
		{"/items", captured{location: "http://api.example/items/7?x=1#y"}, "items/7"},
		{"/items", captured{location: "/items/a%2Fb"}, "items/a%2Fb"},
		{"/items", captured{body: []byte(`{"id":"8"}`), location: "/items/7"}, "items/8"},
		{"/items", captured{truncated: true, location: "/items/7"}, "items/7"},
		{"/items", captured{body: []byte("x"), encoding: "unheard-of", location: "/items/7"}, "items/7"},
		{"/dossiers/d1/processes", captured{location: "/dossiers/d1/processes/p1"}, "processes/d1/p1"},
		{"/items", captured{location: "http://other.example/items/7"}, ""},
		{"/items", captured{location: "/others/7"}, ""},
		{"/items", captured{location: "/items"}, ""},
		{"/items", captured{location: "/items/7/parts"}, ""},
		{"/items", captured{location: "/items/..%2f..%2fusers"}, ""},
		{"/items", captured{location: "::"}, ""},
		// What is not JSON tells nothing.
		{"/items", captured{body: []byte(`{"id":"7"`)}, ""},
		{"/items", captured{body: []byte(`<id>7</id>`)}, ""},
		{"/items", captured{body: []byte(`{"id":"7"} trailing`)}, ""},
		{"/items", captured{}, ""},
	} {
		hit, u := matched(t, m, "POST", tc.target)
		key, err := hit.identify(u, "api.example", &tc.answer)
		if tc.want == "" {
			if err == nil {
				t.Errorf("Test %d: identified %s", i, key)
			}
			continue
		}
		if err != nil || key.String() != tc.want {
			t.Errorf("Test %d: identified %v, %v; want %s", i, key, err, tc.want)
		}
	}
}

func TestDecode(t *testing.T) {
	const text = `{"id":"7"}`
	write := func(open func(io.Writer) io.WriteCloser, body string) []byte {
		var out bytes.Buffer
		w := open(&out)
		if _, err := io.WriteString(w, body); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	gz := func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }
	zl := func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }
	bare := func(w io.Writer) io.WriteCloser {
		f, err := flate.NewWriter(w, flate.DefaultCompression)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	zs := func(w io.Writer) io.WriteCloser {
		z, err := zstd.NewWriter(w)
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	for name, tc := range map[string]struct {
		encoding string
		body     []byte
	}{
		"plain": {"", []byte(text)}, "identity": {"identity", []byte(text)},
		"gzip": {"gzip", write(gz, text)}, "GZIP": {"GZIP", write(gz, text)}, "x-gzip": {"x-gzip", write(gz, text)},
		"deflate": {"deflate", write(zl, text)}, "bare deflate": {"deflate", write(bare, text)},
		"zstd":       {"zstd", write(zs, text)},
		"gzip twice": {"gzip, gzip", write(gz, string(write(gz, text)))},
	} {
		c := captured{body: tc.body, encoding: tc.encoding}
		if got, err := c.json(); err != nil || string(got) != text {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	bomb := strings.Repeat(" ", 2*maxDecoded)
	for name, tc := range map[string]captured{
		"unknown coding": {body: []byte(text), encoding: "br"},
		"damaged gzip":   {body: []byte(text), encoding: "gzip"},
		"cut gzip":       {body: write(gz, text)[:20], encoding: "gzip"},
		"damaged zstd":   {body: []byte(text), encoding: "zstd"},
		"gzip bomb":      {body: write(gz, bomb), encoding: "gzip"},
		"zstd bomb":      {body: write(zs, bomb), encoding: "zstd"},
		"too many":       {body: []byte(text), encoding: strings.Repeat("identity,", 100)},
	} {
		if got, err := tc.json(); got != nil || !errors.Is(err, errUndecodable) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

func FuzzIdentify(f *testing.F) {
	f.Add([]byte(`{"id":"7"}`), "", "/items/7")
	f.Add([]byte(`{"items":{"id":1e400}}`), "gzip", "http://h/items/%2e%2e")
	f.Add([]byte{0x1f, 0x8b, 8, 0}, "gzip", "//x")
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd}, "zstd,deflate", "items/7/")
	m := compileFor(f, &Resource{Name: "items", Version: "v"})
	hit, u := matched(f, m, "POST", "/items")
	f.Fuzz(func(t *testing.T, body []byte, encoding, location string) {
		answer := &captured{body: body, encoding: encoding, location: location}
		_ = hit.version(answer)
		key, err := hit.identify(u, "h", answer)
		if err != nil {
			return
		}
		if again, err := event.ParseKey(key.String()); err != nil || again != key {
			t.Errorf("identified %v, which is no key: %v", key, err)
		}
	})
}
