// SPDX-License-Identifier: Apache-2.0

package event

import (
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"
)

func TestPointersHeader(t *testing.T) {
	for _, test := range []struct {
		pointers Pointers
		want     string
	}{
		{nil, ""},
		{Pointers{}, "none"},
		{Pointers{""}, "#"},
		{Pointers{"/items/state", "/items/amount"}, "/items/state, /items/amount"},
		{Pointers{"/", "/a,b"}, "/, /a%2Cb"},
		// The examples of RFC 6901, section 6.
		{Pointers{"/a~1b", "/c%d", "/e^f", "/g|h", `/i\j`, `/k"l`, "/ ", "/m~0n"}, "/a~1b, /c%25d, /e%5Ef, /g%7Ch, /i%5Cj, /k%22l, /%20, /m~0n"},
		{Pointers{"/é\r\n\x00#none"}, "/%C3%A9%0D%0A%00%23none"},
	} {
		got := test.pointers.Header()
		if got != test.want {
			t.Errorf("%q is %s, want %s", test.pointers, got, test.want)
		}
		checkHeader(t, test.pointers, got)
	}
}

// checkHeader reads a header as a receiver does.
func checkHeader(t *testing.T, pointers Pointers, header string) {
	t.Helper()
	if !httpguts.ValidHeaderFieldValue(header) || headerValue(header) != header {
		t.Fatalf("%q is no header", header)
	}
	var read Pointers
	switch header {
	case "":
	case "none":
		read = Pointers{}
	default:
		for part := range strings.SplitSeq(header, ", ") {
			pointer, err := url.PathUnescape(strings.TrimPrefix(part, "#"))
			if err != nil {
				t.Fatal(err)
			}
			read = append(read, pointer)
		}
	}
	if (read == nil) != (pointers == nil) || strings.Join(read, "\n") != strings.Join(pointers, "\n") || len(read) != len(pointers) {
		t.Fatalf("%q is read as %q", pointers, read)
	}
}

func FuzzPointersHeader(f *testing.F) {
	f.Add("/a", "/b,c")
	f.Add("/\xff", "/#")
	f.Fuzz(func(t *testing.T, a, b string) {
		pointers := Pointers{"/" + a, "/" + b}
		checkHeader(t, pointers, pointers.Header())
		if size := PointerSize(pointers[0]) + len(", ") + PointerSize(pointers[1]); size != len(pointers.Header()) {
			t.Fatalf("%q has %d bytes, not %d", pointers, len(pointers.Header()), size)
		}
	})
}
