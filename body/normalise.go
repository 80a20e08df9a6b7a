// SPDX-License-Identifier: Apache-2.0

package body

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"strings"
)

// Normalise gives a body the shape of JSON, so that gjson paths can be followed
// in it. Its result is always valid JSON.
//
//   - JSON stays as it is, byte for byte.
//   - Lines of JSON (application/x-ndjson, application/jsonl, json-seq) become
//     an array of their values.
//   - A form (application/x-www-form-urlencoded, multipart/form-data without
//     its files) becomes an object of strings. A name that is repeated, or ends
//     in "[]", has an array. Names with brackets nest: "item[id]=7" is found at
//     item.id, as in the frameworks that invented them. A name whose brackets
//     do not pair, or that contradicts another, stays as written.
//   - XML, and so SOAP, becomes an object of its root element. Names lose
//     their namespace, so that a path reads Envelope.Body.GetItemResponse.id
//     whatever prefixes the sender chose. An element without attributes and
//     children is a string; attributes are "-name", and the text beside them
//     or beside children is "#text". Elements that are repeated become an
//     array; see [Values] for lists that may have one element. Attributes of
//     XML Schema (xsi:type) are left out, but xsi:nil="true" makes null. Texts
//     stay strings, also where they look like numbers.
//
// The beginning of the body outweighs a content type that is missing or wrong:
// a valid JSON object or array counts as JSON even if it was sent as text/html
// or as a form, as it often is. HTML has no structure here.
//
// It fails with [ErrNoStructure] or [ErrTooLarge].
func Normalise(plain []byte, contentType string) ([]byte, error) {
	document, _, err := ofAnswers.normalise(plain, contentType)
	return document.JSON, err
}

// normalise parses a body.
func (b *budget) normalise(plain []byte, contentType string) (document Document, odd, err error) {
	err = b.spend(parsingCost(plain, contentType), func() (err error) {
		document, odd, err = normalise(plain, contentType)
		return err
	})
	return document, odd, err
}

// firstByte returns the first byte of a body that is not white space, 0 for none.
func firstByte(plain []byte) byte {
	plain = bytes.TrimLeft(bytes.TrimPrefix(plain, byteOrderMark), " \t\r\n")
	if len(plain) == 0 {
		return 0
	}
	return plain[0]
}

// normalise returns a body as a document, and why readers may disagree about it as a
// whole.
func normalise(plain []byte, contentType string) (document Document, odd, err error) {
	plain = bytes.TrimPrefix(plain, byteOrderMark)
	start := bytes.TrimLeft(plain, " \t\r\n")
	media, params := mediaType(contentType)
	switch {
	case len(start) == 0:
		return document, nil, fmt.Errorf("%w: it is empty", ErrNoStructure)
	case isLines(media):
		document.JSON, err = lines(plain)
		return document, nil, err
	case media == mediaMultipart:
		return multipartForm(plain, params["boundary"])
	case isJSON(media) || start[0] == '{' || start[0] == '[':
		if json.Valid(plain) {
			return Document{JSON: plain}, nil, nil
		}
		if start[0] != '<' && media != mediaForm {
			return document, nil, fmt.Errorf("%w: it is not valid JSON", ErrNoStructure)
		}
	}
	switch {
	case media == mediaForm:
		return form(plain)
	case mayBeXML(plain, start, media):
		return fromXML(plain, params["charset"])
	}
	return document, nil, fmt.Errorf("%w: it is neither JSON, XML nor a form", ErrNoStructure)
}

var byteOrderMark = []byte("\xef\xbb\xbf")

const (
	mediaForm      = "application/x-www-form-urlencoded"
	mediaMultipart = "multipart/form-data"
)

// mediaType reads a Content-Type. If its parameters are malformed, the type
// itself still counts.
func mediaType(contentType string) (media string, params map[string]string) {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		media, _, _ = strings.Cut(contentType, ";")
		media = strings.ToLower(strings.TrimSpace(media))
	}
	return media, params
}

func isJSON(media string) bool {
	switch media {
	case "application/json", "text/json", "application/x-json", "text/x-json", "text/javascript", "application/javascript":
		return true
	}
	return strings.HasSuffix(media, "+json")
}

func isLines(media string) bool {
	switch media {
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonl", "application/jsonlines",
		"application/x-jsonlines", "application/json-lines", "application/stream+json", "application/json-seq", "text/x-ndjson", "text/jsonl":
		return true
	}
	return strings.HasSuffix(media, "+json-seq")
}

// mayBeXML reports whether to read a body as XML. A body sent as HTML must
// begin as only XML does.
func mayBeXML(plain, start []byte, media string) bool {
	switch {
	case strings.HasPrefix(media, "text/html"), media == "application/xhtml+xml":
		return bytes.HasPrefix(start, []byte("<?xml"))
	case media == "text/xml", media == "application/xml", strings.HasSuffix(media, "+xml"):
		return true
	}
	return start[0] == '<' || isUTF16(plain)
}
