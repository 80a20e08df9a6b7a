// SPDX-License-Identifier: Apache-2.0

package body

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// encoders encode as servers do.
var encoders = map[string]func(io.Writer) io.WriteCloser{
	"gzip":         func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	"deflate":      func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	"bare deflate": func(w io.Writer) io.WriteCloser { f, _ := flate.NewWriter(w, flate.DefaultCompression); return f },
	"br":           func(w io.Writer) io.WriteCloser { return brotli.NewWriterLevel(w, 1) },
	"zstd":         func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z },
}

func encode(t testing.TB, coding, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := encoders[coding](&out)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestDecode(t *testing.T) {
	const text = `{"id":"7","note":"` + "\x00ü" + `"}`
	for _, tc := range []struct {
		encoding string
		body     []byte
	}{
		{"", []byte(text)},
		{"identity", []byte(text)},
		{"gzip", encode(t, "gzip", text)},
		{" GZIP ", encode(t, "gzip", text)},
		{"x-gzip", encode(t, "gzip", text)},
		{"gzip", append(encode(t, "gzip", text[:5]), encode(t, "gzip", text[5:])...)}, // members
		{"deflate", encode(t, "deflate", text)},
		{"deflate", encode(t, "bare deflate", text)},
		{"br", encode(t, "br", text)},
		{"zstd", encode(t, "zstd", text)},
		{"br, gzip", encode(t, "gzip", string(encode(t, "br", text)))},
		{"gzip,identity,zstd", encode(t, "zstd", string(encode(t, "gzip", text)))},
	} {
		if got, err := Decode(tc.body, tc.encoding); err != nil || string(got) != text {
			t.Errorf("%q: %q, %v", tc.encoding, got, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	const text = `{"id":"7"}`
	bomb := strings.Repeat(" ", MaxSize+1)
	for name, tc := range map[string]struct {
		encoding string
		body     []byte
		want     error // nil for any
	}{
		"unknown":       {"compress", []byte(text), ErrCoding},
		"too many":      {"identity,identity,identity,identity", []byte(text), ErrCoding},
		"damaged gzip":  {"gzip", []byte(text[1:]), nil},
		"cut gzip":      {"gzip", encode(t, "gzip", text)[:20], nil},
		"damaged br":    {"br", []byte(text[1:]), nil},
		"cut br":        {"br", encode(t, "br", text)[:5], nil},
		"damaged zstd":  {"zstd", []byte(text[1:]), nil},
		"wrong order":   {"gzip, br", encode(t, "gzip", string(encode(t, "br", text))), nil},
		"gzip bomb":     {"gzip", encode(t, "gzip", bomb), ErrTooLarge},
		"deflate bomb":  {"deflate", encode(t, "deflate", bomb), ErrTooLarge},
		"br bomb":       {"br", encode(t, "br", bomb), ErrTooLarge},
		"zstd bomb":     {"zstd", encode(t, "zstd", bomb), nil},
		"bomb in bomb":  {"br, gzip", encode(t, "gzip", string(encode(t, "br", bomb))), ErrTooLarge},
		"a bomb inside": {"identity,gzip", encode(t, "gzip", bomb), ErrTooLarge},
	} {
		got, err := Decode(tc.body, tc.encoding)
		if got != nil || err == nil || tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: %d bytes, %v; want %v", name, len(got), err, tc.want)
		}
	}
}

// A body of MaxSize is read, and not one byte more.
func TestDecodeLimit(t *testing.T) {
	for coding := range encoders {
		encoding := strings.TrimPrefix(coding, "bare ")
		got, err := Decode(encode(t, coding, strings.Repeat(" ", MaxSize)), encoding)
		if err != nil || len(got) != MaxSize {
			t.Errorf("%s: %d bytes, %v", coding, len(got), err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	const text = `{"id":"7"}`
	for coding := range encoders {
		f.Add(encode(f, coding, text), strings.TrimPrefix(coding, "bare "))
	}
	f.Add(encode(f, "gzip", string(encode(f, "br", text))), "br, gzip")
	f.Add([]byte(text), "identity,,")
	f.Fuzz(func(t *testing.T, raw []byte, encoding string) {
		plain, err := Decode(raw, encoding)
		if err == nil && len(plain) > max(MaxSize, len(raw)) {
			t.Errorf("%d bytes", len(plain))
		}
		if err != nil && plain != nil {
			t.Errorf("%d bytes with %v", len(plain), err)
		}
	})
}
