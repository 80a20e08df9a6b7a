// SPDX-License-Identifier: Apache-2.0

package body

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
)

// Unicode returns the decoded body of an answer in UTF-8, and its content type with
// that charset. JSON that is sent on must be UTF-8 (RFC 8259, section 8.1); an API may
// send it, or other text, in the charset that its Content-Type or a byte order mark
// names. If none is named, a byte of JSON that is none of UTF-8 is one of
// windows-1252, which has the characters of ISO 8859-1.
//
// JSON that is valid UTF-8 is that, whatever its Content-Type says. XML stays as it is,
// since it says by itself which charset it has. So does what is no text.
func Unicode(plain []byte, contentType string) (converted []byte, asType string, err error) {
	if isPlainASCII(plain) {
		return plain, contentType, nil
	}
	media, params := mediaType(contentType)
	from := charsetOf(plain, media, params["charset"])
	if from == "" {
		return plain, contentType, nil
	}
	err = ofAnswers.spend(3*int64(len(plain)), func() error {
		if from == mixedUTF8 {
			converted = repaired(plain)
			return nil
		}
		converted, err = convert(plain, from)
		return err
	})
	switch {
	case err != nil:
		return nil, "", err
	case len(converted) > MaxSize && len(plain) <= MaxSize:
		return nil, "", ErrTooLarge
	}
	if _, named := params["charset"]; named {
		params["charset"] = "utf-8"
		contentType = mime.FormatMediaType(media, params)
	}
	return bytes.TrimPrefix(converted, byteOrderMark), contentType, nil
}

// mixedUTF8 stands for UTF-8 in which some bytes are none.
const mixedUTF8 = "mixed"

// charsetOf returns the charset from which a body is converted, "" if it stays as it is.
func charsetOf(plain []byte, media, label string) string {
	start := firstByte(plain)
	likeJSON := isJSON(media) || isLines(media) || start == '{' || start == '['
	switch {
	case start == '<', strings.HasSuffix(media, "xml"), media == mediaMultipart:
		return ""
	case bytes.HasPrefix(plain, []byte("\xfe\xff")):
		return "utf-16be"
	case isUTF16(plain):
		return "utf-16le"
	case likeJSON && len(plain) > 1 && plain[0] == 0 && plain[1] != 0:
		// JSON begins with two characters of ASCII (RFC 4627, section 3).
		return "utf-16be"
	case likeJSON && len(plain) > 1 && plain[1] == 0 && plain[0] != 0:
		return "utf-16le"
	case likeJSON && utf8.Valid(plain) && json.Valid(bytes.TrimPrefix(plain, byteOrderMark)):
		return ""
	case !likeJSON && !strings.HasPrefix(media, "text/") && media != mediaForm:
		return ""
	}
	_, name := charset.Lookup(label)
	switch {
	case name != "" && name != "utf-8" && (likeJSON || !utf8.Valid(plain) || strings.HasPrefix(name, "utf-16")):
		return name
	case likeJSON && !utf8.Valid(plain):
		return mixedUTF8
	}
	return ""
}

// convert returns a text in UTF-8.
func convert(plain []byte, from string) ([]byte, error) {
	r, err := charset.NewReaderLabel(from, bytes.NewReader(plain))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// windows1252 has the characters of the bytes from 0x80.
var windows1252 = sync.OnceValue(func() []rune {
	high := make([]byte, 0x80)
	for i := range high {
		high[i] = byte(0x80 + i)
	}
	text, err := convert(high, "windows-1252")
	if err != nil {
		return make([]rune, len(high)) // the package knows this charset
	}
	return []rune(string(text))
})

// repaired returns a text in which each byte that is none of UTF-8 is one of
// windows-1252: what is UTF-8 stays as it is.
func repaired(plain []byte) []byte {
	fixed := make([]byte, 0, len(plain)+len(plain)/4)
	for len(plain) > 0 {
		r, size := utf8.DecodeRune(plain)
		if r == utf8.RuneError && size == 1 {
			r = windows1252()[plain[0]-0x80]
		}
		fixed, plain = utf8.AppendRune(fixed, r), plain[size:]
	}
	return fixed
}

// isPlainASCII reports whether a body means the same in all charsets. The escapes of
// ISO 2022 and the zeros of UTF-16 are ASCII, too.
func isPlainASCII(plain []byte) bool {
	for _, c := range plain {
		if c >= utf8.RuneSelf || c == 0 || c == 0x1b {
			return false
		}
	}
	return true
}

// noCodings are words that are no coding, and that some send as a Content-Encoding:
// they change nothing. So do the names of charsets.
var noCodings = map[string]bool{"none": true, "binary": true, "8bit": true, "7bit": true, "plain": true, "text": true}

// isNoCoding reports whether a Content-Encoding is one that changes nothing.
func isNoCoding(coding string) bool {
	if coding == "" || coding == "identity" || noCodings[coding] {
		return true
	}
	named, _ := charset.Lookup(coding)
	return named != nil
}

// isPlain reports whether an answer is not encoded in the way that it says: a cache or
// proxy on the way has decoded it, and has left the header.
func isPlain(answer []byte, coding string) bool {
	if start := firstByte(answer); start != '{' && start != '[' && start != '<' {
		return false
	}
	switch coding {
	case "gzip", "x-gzip", "zstd":
		return true // these begin otherwise
	case "br", "deflate":
		return json.Valid(answer)
	}
	return false
}
