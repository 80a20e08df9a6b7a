// SPDX-License-Identifier: Apache-2.0

// Package body turns the body of a request or response, as it passed, into
// JSON in which a rule's paths can be followed: [Decode] undoes compression,
// [Normalise] gives forms, XML and lines of JSON the shape of JSON.
//
// Bodies come from strangers. Whatever a body holds, nothing here panics, and a
// result is longer than [MaxSize] only if the body itself was as long. What all bodies
// cost together at a time is limited by [Budget].
package body

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// MaxSize limits the size of a body that is unfolded (decompressed or rewritten
// as JSON), in bytes.
const MaxSize = 8 << 20

// maxCodings limits how many encodings a body may have. More than one is rare,
// and each further one could multiply the work by a thousand.
const maxCodings = 3

// Decode undoes a Content-Encoding. It may list several, the one applied last
// standing last (RFC 9110, section 8.4). Decode knows gzip, deflate, br, zstd
// and identity. Without an encoding it returns the body itself, as it does for what
// is no coding at all (`utf-8`), and for an answer that is not encoded although it says
// so.
//
// It fails with [ErrCoding] or [ErrTooLarge], or with the decoder's error for
// damaged bytes.
func Decode(raw []byte, contentEncoding string) ([]byte, error) {
	return ofAnswers.decode(raw, contentEncoding, MaxSize)
}

// DecodeRequest is Decode for the body of a request, of which limit bytes are read at
// most.
func DecodeRequest(raw []byte, contentEncoding string, limit int64) ([]byte, error) {
	plain, err := ofRequests.decode(raw, contentEncoding, limit)
	if err == nil && int64(len(plain)) > limit {
		err = ErrTooLarge
	}
	return plain, err
}

// decode decodes a body of at most limit bytes.
func (b *budget) decode(raw []byte, contentEncoding string, limit int64) ([]byte, error) {
	if contentEncoding == "" {
		return raw, nil
	}
	codings := strings.Split(contentEncoding, ",")
	if len(codings) > maxCodings {
		return nil, fmt.Errorf("%w: encoded %d times, more than %d", ErrCoding, len(codings), maxCodings)
	}
	plain := raw
	for i := len(codings) - 1; i >= 0; i-- {
		coding := strings.ToLower(strings.TrimSpace(codings[i]))
		if isNoCoding(coding) || b == ofAnswers && i == len(codings)-1 && isPlain(plain, coding) {
			continue
		}
		err := b.spend(decodingCost(coding, len(plain), limit), func() (err error) {
			plain, err = decodeOne(plain, coding, min(limit, MaxSize))
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("decoding the body: %w", err)
		}
	}
	return plain, nil
}

func decodeOne(raw []byte, coding string, limit int64) ([]byte, error) {
	var r io.Reader
	switch coding {
	case "gzip", "x-gzip":
		zr, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return nil, err
		}
		r = zr
	case "deflate":
		// RFC 9110, section 8.4.1.2: deflate means the zlib format, but some
		// servers send bare deflate.
		zr, err := zlib.NewReader(bytes.NewReader(raw))
		if err != nil {
			r = flate.NewReader(bytes.NewReader(raw))
		} else {
			r = zr
		}
	case "br":
		r = brotli.NewReader(bytes.NewReader(raw))
	case "zstd":
		zr, err := zstd.NewReader(bytes.NewReader(raw), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxSize))
		if err != nil {
			return nil, err
		}
		defer zr.Close()
		r = zr
	default:
		return nil, ErrCoding
	}
	return readAll(r, limit)
}

// readAll reads at most limit bytes.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	plain, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(plain)) > limit {
		return nil, ErrTooLarge
	}
	return plain, nil
}
