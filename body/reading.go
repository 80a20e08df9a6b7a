// SPDX-License-Identifier: Apache-2.0

package body

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"
)

// Reasons why two readers may not find the same in a body.
var (
	errMislabelled = errors.New("the body has another form than its Content-Type says")
	errCharset     = errors.New("the body's charset is read in different ways")
	errMixedForm   = errors.New("the form has names that contradict each other or that servers read in different ways")
	errMixedXML    = errors.New("the XML has text beside comments or elements, which parsers read in different ways")
)

// Reading is what readers may take a body for.
type Reading struct {
	// Documents are what the body may be: none if it is empty, usually one, and
	// several if readers that go by the Content-Type find another than those that
	// go by the first bytes.
	Documents []Document
	// Doubt says why not all readers find what the documents hold, nil if they do.
	Doubt error
}

// Document is a body in one form.
type Document struct {
	// JSON is the body as [Normalise] returns it.
	JSON []byte
	// Lists is true for forms and XML, where the one that is repeated is a list,
	// or a contradiction.
	Lists bool

	form bool
}

// Read returns what readers may take a body for, as it passed. It fails if nobody
// can tell: the body cannot be decoded, has no structure, or has one that readers
// disagree about as a whole. Decoded, it may have limit bytes.
func Read(raw []byte, contentEncoding, contentType string, limit int64) (Reading, error) {
	if len(raw) == 0 {
		return Reading{}, nil
	}
	plain, err := ofRequests.decode(raw, contentEncoding, limit)
	if err != nil {
		return Reading{}, err
	}
	if int64(len(plain)) > limit {
		return Reading{}, fmt.Errorf("%w: it is longer than `capture` when it is decoded", ErrTooLarge)
	}
	media, params := mediaType(contentType)
	first, odd, err := ofRequests.normalise(plain, contentType)
	switch {
	case err != nil:
		return Reading{}, err
	case odd != nil:
		return Reading{}, odd
	case !first.isXML() && !isASCIILike(params["charset"]):
		return Reading{}, errCharset
	}
	read := Reading{Documents: []Document{first}}
	if !first.labelled(media) {
		read.Doubt = errMislabelled
	}
	if media == mediaForm && !first.form {
		err := ofRequests.spend(parsingCost(plain, contentType), func() error {
			other, odd, err := form(bytes.TrimPrefix(plain, byteOrderMark))
			if err == nil && odd == nil {
				read.Documents = append(read.Documents, other)
			}
			return nil
		})
		if err != nil {
			return Reading{}, err
		}
	}
	return read, nil
}

// isXML reports whether the document was made of XML.
func (d Document) isXML() bool { return d.Lists && !d.form }

// labelled reports whether a Content-Type says what a document is. None at all
// contradicts nothing but a form.
func (d Document) labelled(media string) bool {
	switch {
	case d.form:
		return media == mediaForm || media == mediaMultipart
	case d.isXML():
		return media == "" || media == "text/xml" || media == "application/xml" || strings.HasSuffix(media, "+xml")
	}
	return media == "" || isJSON(media) || isLines(media)
}

// isASCIILike reports whether a charset has the characters of ASCII where ASCII
// has them. "" is none.
func isASCIILike(charset string) bool {
	charset = strings.ToLower(charset)
	for _, prefix := range []string{"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-", "latin", "windows-125", "cp125"} {
		if strings.HasPrefix(charset, prefix) {
			return true
		}
	}
	return charset == ""
}

// isBatch reports whether a document is an array of objects.
func (d Document) isBatch() bool {
	return len(d.JSON) > 0 && bytes.TrimLeft(d.JSON, " \t\r\n")[0] == '['
}

// IsBatch reports whether the body is an array, as the batch of an RPC is.
func (r Reading) IsBatch() bool {
	return len(r.Documents) > 0 && !r.Documents[0].Lists && r.Documents[0].isBatch()
}

// Members returns the first members of a batch, each as if it had been sent alone. More
// than limit of them only say that there are more.
func (r Reading) Members(limit int) (all []Reading) {
	gjson.ParseBytes(r.Documents[0].JSON).ForEach(func(_, member gjson.Result) bool {
		all = append(all, Reading{Documents: []Document{{JSON: []byte(member.Raw)}}, Doubt: r.Doubt})
		return len(all) <= limit
	})
	return all
}
