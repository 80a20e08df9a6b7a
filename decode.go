// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// maxDecoded bounds what a compressed response may unfold to, in bytes.
const maxDecoded = 8 << 20

// maxCodings bounds how often a response may be encoded.
const maxCodings = 3

// json returns the captured body as plain, valid JSON, or nil. The error says
// why a body is missing; a body that is just not JSON is no error.
func (c *captured) json() ([]byte, error) {
	if c.truncated {
		return nil, errTruncated
	}
	body, err := decode(c.body, c.encoding)
	if err != nil {
		return nil, errUndecodable
	}
	// gjson gives unspecified results on invalid JSON.
	if !json.Valid(body) {
		return nil, nil
	}
	return body, nil
}

// decode undoes a Content-Encoding, of which there may be several.
func decode(body []byte, encoding string) ([]byte, error) {
	if encoding == "" {
		return body, nil
	}
	codings := strings.Split(encoding, ",")
	if len(codings) > maxCodings {
		return nil, errCoding
	}
	for i := len(codings) - 1; i >= 0; i-- {
		var err error
		if body, err = decodeOne(body, strings.ToLower(strings.TrimSpace(codings[i]))); err != nil {
			return nil, err
		}
	}
	return body, nil
}

var errCoding = errors.New("unsupported Content-Encoding")

func decodeOne(body []byte, coding string) ([]byte, error) {
	var r io.Reader
	switch coding {
	case "identity", "":
		return body, nil
	case "gzip", "x-gzip":
		zr, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		r = zr
	case "deflate":
		// RFC 9110, section 8.4.1.2: the zlib format, but some servers send
		// the bare one.
		zr, err := zlib.NewReader(bytes.NewReader(body))
		if err != nil {
			r = flate.NewReader(bytes.NewReader(body))
		} else {
			r = zr
		}
	case "zstd":
		zr, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxDecoded))
		if err != nil {
			return nil, err
		}
		defer zr.Close()
		r = zr
	default:
		return nil, errCoding
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxDecoded+1))
	if err != nil {
		return nil, err
	}
	if len(plain) > maxDecoded {
		return nil, errTruncated
	}
	return plain, nil
}
