// SPDX-License-Identifier: Apache-2.0

package body

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"
)

func TestUnicode(t *testing.T) {
	const latin1, utf16le = "{\"a\":\"\xe4\"}", "{\x00\"\x00a\x00\"\x00:\x00\"\x00\xe4\x00\"\x00}\x00"
	const plain = `{"a":"ä"}`
	for name, tc := range map[string]struct{ contentType, body, want, wantType string }{
		"UTF-8":                       {"application/json", plain, plain, "application/json"},
		"ASCII":                       {"application/json; charset=iso-8859-1", `{"a":1}`, `{"a":1}`, "application/json; charset=iso-8859-1"},
		"latin1":                      {"application/json; charset=ISO-8859-1", latin1, plain, "application/json; charset=utf-8"},
		"latin1, without a type":      {"", latin1, plain, ""},
		"latin1 that says UTF-8":      {"application/json; charset=utf-8", latin1, plain, "application/json; charset=utf-8"},
		"UTF-8 that says latin1":      {"application/json; charset=latin1", plain, plain, "application/json; charset=latin1"},
		"an unknown charset":          {"application/json; charset=klingon", latin1, plain, "application/json; charset=utf-8"},
		"a text that was cut":         {"application/json", "{\"a\":\"ä\xc3\"}", `{"a":"äÃ"}`, "application/json"},
		"UTF-16":                      {"application/json; charset=utf-16le", utf16le, plain, "application/json; charset=utf-8"},
		"UTF-16, unsaid":              {"application/json", utf16le, plain, "application/json"},
		"UTF-16 with its mark":        {"text/plain", "\xff\xfea\x00\xe4\x00", "aä", "text/plain"},
		"Shift JIS":                   {"application/json; charset=shift_jis", "{\"a\":\"\x83e\"}", `{"a":"テ"}`, "application/json; charset=utf-8"},
		"a backslash in Shift JIS":    {"application/json; charset=shift_jis", "{\"a\":\"\x83\x5c\"}", `{"a":"ソ"}`, "application/json; charset=utf-8"},
		"ISO 2022":                    {"application/json; charset=iso-2022-jp", "{\"a\":\"\x1b$B%F\x1b(B\"}", `{"a":"テ"}`, "application/json; charset=utf-8"},
		"lines":                       {"application/x-ndjson", "{\"a\":\"\xe4\"}\n{\"a\":\"ä\"}", "{\"a\":\"ä\"}\n{\"a\":\"ä\"}", "application/x-ndjson"},
		"text":                        {"text/plain; charset=windows-1252", "\x80", "€", "text/plain; charset=utf-8"},
		"text that says nothing":      {"text/plain", "\x80", "\x80", "text/plain"},
		"a form":                      {"application/x-www-form-urlencoded; charset=latin1", "a=\xe4", "a=ä", "application/x-www-form-urlencoded; charset=utf-8"},
		"XML has a charset by itself": {"text/xml; charset=latin1", "<a>\xe4</a>", "<a>\xe4</a>", "text/xml; charset=latin1"},
		"an image":                    {"image/png; charset=latin1", "\x89PNG", "\x89PNG", "image/png; charset=latin1"},
		"nothing":                     {"", "", "", ""},
	} {
		got, asType, err := Unicode([]byte(tc.body), tc.contentType)
		if err != nil || string(got) != tc.want || asType != tc.wantType {
			t.Errorf("%s: %q as %q, %v; want %q as %q", name, got, asType, err, tc.want, tc.wantType)
		}
	}
	if _, _, err := Unicode(append(bytes.Repeat([]byte("\xe4"), MaxSize-1), '"'), "application/json"); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a body that unfolds: %v", err)
	}
}

// JSON is UTF-8 when it is sent on, whatever the API sent.
func FuzzUnicode(f *testing.F) {
	f.Add([]byte("{\"a\":\"\xe4\"}"), "application/json; charset=latin1")
	f.Add([]byte("{\x00}\x00"), "")
	f.Add([]byte("\xef\xbb\xbf{}"), "text/html; charset=utf-16")
	f.Fuzz(func(t *testing.T, plain []byte, contentType string) {
		got, asType, err := Unicode(plain, contentType)
		if err != nil {
			return
		}
		if json.Valid(got) && !utf8.Valid(got) && firstByte(got) != '<' {
			media, _ := mediaType(contentType)
			if isJSON(media) || firstByte(got) == '{' || firstByte(got) == '[' {
				t.Errorf("%q as %q is %q", plain, contentType, got)
			}
		}
		again, _, err := Unicode(got, asType)
		if err == nil && json.Valid(got) && utf8.Valid(got) && !bytes.Equal(again, got) {
			t.Errorf("%q is converted twice: %q, %q", plain, got, again)
		}
	})
}

// What is no coding changes nothing, and an answer may be decoded already. A request
// that is not encoded as it says is read by nobody for sure.
func TestNoCoding(t *testing.T) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write([]byte(`{"a":1}`))
	_ = w.Close()
	for coding, raw := range map[string]string{
		"utf-8": `{"a":1}`, "UTF8": `{"a":1}`, "iso-8859-1": `{"a":1}`, "none": `{"a":1}`, "binary, 8bit": `{"a":1}`,
		"gzip": `{"a":1}`, "br": `{"a":1}`, "deflate": `{"a":1}`, "zstd": `{"a":1}`, "gzip, utf-8": zipped.String(), "x-gzip": zipped.String(),
	} {
		if got, err := Decode([]byte(raw), coding); err != nil || string(got) != `{"a":1}` {
			t.Errorf("%s: %q, %v", coding, got, err)
		}
	}
	for coding, sure := range map[string]bool{"utf-8": true, "none": true, "gzip": false, "br": false, "compress": false} {
		if _, err := Read([]byte(`{"a":1}`), coding, "application/json", 100); (err == nil) != sure {
			t.Errorf("a request in %s: %v", coding, err)
		}
	}
}
