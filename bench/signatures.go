// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
)

// measureSignatures prints the cost of each kind of signature, divided by the
// time a bare http.Client takes to post the same kibibyte over a kept
// connection.
func measureSignatures(*lab) error {
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer sink.Close()
	body := bytes.Repeat([]byte("x"), 1<<10)
	var failed error
	post := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			response, err := http.Post(sink.URL, "application/json", bytes.NewReader(body))
			if err != nil {
				failed = err
				return
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
		}
	})
	if failed != nil {
		return failed
	}

	key := make([]byte, 32)
	_, _ = rand.Read(key)
	encoded := base64.StdEncoding.EncodeToString(key)
	shared, err := sign.ParseSecret(sign.Prefix + encoded)
	if err != nil {
		return err
	}
	private, err := sign.ParseSecret(sign.PrivatePrefix + encoded)
	if err != nil {
		return err
	}
	text, err := sign.ParseKey(encoded)
	if err != nil {
		return err
	}
	style, err := sign.Preset("timestamped")
	if err != nil {
		return err
	}
	stamped, err := sign.NewXSignature(style, text)
	if err != nil {
		return err
	}
	messages, err := sign.NewMessageSignatures()
	if err != nil {
		return err
	}
	m := sign.Message{
		ID: "evt_0123456789abcdef", At: time.Now(), ContentType: "application/json", Body: body,
		URL: &url.URL{Scheme: "https", Host: "erp.example.com", Path: "/hooks"},
	}
	for _, kind := range []struct {
		name    string
		scheme  sign.Scheme
		secrets []sign.Secret
	}{
		{"v1", sign.Standard{}, []sign.Secret{shared}},
		{"v1.rotating", sign.Standard{}, []sign.Secret{shared, shared}},
		{"v1a", sign.Standard{}, []sign.Secret{private}},
		{"x-signature", stamped, nil},
		{"rfc9421.hmac", messages, []sign.Secret{shared}},
		{"rfc9421.ed25519", messages, []sign.Secret{private}},
	} {
		header := http.Header{}
		signing := testing.Benchmark(func(b *testing.B) {
			for b.Loop() {
				kind.scheme.Sign(m, kind.secrets, header)
			}
		})
		fmt.Printf("sign.%s %.3f (%d ns by %d ns of a bare POST)\n", kind.name,
			float64(signing.NsPerOp())/float64(post.NsPerOp()), signing.NsPerOp(), post.NsPerOp())
	}
	return nil
}
