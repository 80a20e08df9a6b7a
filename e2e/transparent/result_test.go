// SPDX-License-Identifier: Apache-2.0

package transparent

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// How a response ends.
const (
	endWhole = "whole"
	endCut   = "cut"
	endStuck = "stuck"
	endLeft  = "left by the client"
)

// result is everything that a client learns of a response.
type result struct {
	informational []head
	head          head
	framing       string // how the end of the body is marked
	body          []byte
	trailers      []string
	end           string
	after         string // what happens to the connection
	failure       string // what went wrong before the response
}

// head is a response's status line and header.
type head struct {
	status string
	fields []string // sorted, as they were written; without Date
}

// newHead sorts a header, as its order means nothing.
func newHead(status string, fields []string) head {
	fields = slices.DeleteFunc(fields, func(field string) bool {
		return strings.HasPrefix(strings.ToLower(field), "date:")
	})
	for i, field := range fields {
		// The names of trailers come from a map.
		if names, ok := strings.CutPrefix(field, "Trailer: "); ok {
			list := strings.Split(names, ", ")
			slices.Sort(list)
			fields[i] = "Trailer: " + strings.Join(list, ", ")
		}
	}
	slices.Sort(fields)
	return head{status: status, fields: fields}
}

func (h head) String() string {
	return h.status + "\n\t" + strings.Join(h.fields, "\n\t")
}

// value returns the field of a name in lower case.
func (h head) value(name string) string {
	for _, field := range h.fields {
		if key, value, _ := strings.Cut(field, ":"); strings.ToLower(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// String returns the result in a form that is compared. How a body was
// compressed here depends on the pieces in which it came, so the content is
// compared.
func (r result) String() string {
	var out strings.Builder
	for _, one := range r.informational {
		fmt.Fprintf(&out, "informational: %s\n", one)
	}
	body := r.body
	if plain, err := decode(r.head.value("content-encoding"), body); err == nil {
		body = plain
	}
	sample := body
	if len(sample) > 64 {
		sample = sample[:64]
	}
	fmt.Fprintf(&out, "head: %s\nframing: %s\nbody: %d bytes, %x, %q\ntrailers: %q\nend: %s\nafter: %s\nfailure: %s",
		r.head, r.framing, len(body), sha256.Sum256(body), sample, r.trailers, r.end, r.after, r.failure)
	return out.String()
}

func decode(encoding string, body []byte) ([]byte, error) {
	switch encoding {
	case "gzip":
		reader, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(reader)
	case "zstd":
		reader, err := zstd.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		defer reader.Close()
		return io.ReadAll(reader)
	}
	return body, nil
}

// endOf returns how a response ended with an error.
func endOf(err error) string {
	var timeout net.Error
	switch {
	case err == nil:
		return endWhole
	case errors.As(err, &timeout) && timeout.Timeout():
		return endStuck
	}
	return endCut
}
