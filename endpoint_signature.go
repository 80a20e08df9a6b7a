// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/internal/argument"
)

// The words for ways of signing.
const (
	schemeStandard   = "standard"
	schemeXSignature = "x-signature"
	schemeRFC9421    = "rfc9421"
	schemeNone       = "none"
)

// Signature is one way of signing deliveries.
type Signature struct {
	// Scheme is `standard` for Standard Webhooks, `x-signature` for an HMAC in
	// a header of a style of its own, or `rfc9421` for HTTP Message
	// Signatures. `standard` and `rfc9421` use the endpoint's secrets. Required.
	Scheme string `json:"scheme"`

	// KeyIDs are the names under which the receiver knows the secrets, in their
	// order; of `rfc9421`. Default: 16 hexadecimal digits made of each key.
	KeyIDs []string `json:"key_ids,omitempty"`

	// Style is what an `x-signature` is like: `hex`, `base64`, `sha256`,
	// `timestamped`, `github`, `shopify`, `slack` or `stripe`. The fields that
	// follow change it. Default: `hex`.
	Style string `json:"style,omitempty"`

	// Keys are what an `x-signature` is made with, such as the receiver's API
	// key, as texts: the current one, and those that it has replaced.
	Keys []string `json:"keys,omitempty"`

	// Header holds the signature. Default: `X-Signature`.
	Header string `json:"header,omitempty"`

	// TimestampHeader holds the attempt's time in unix seconds. Default: none.
	TimestampHeader string `json:"timestamp_header,omitempty"`

	// Algorithm is the HMAC's hash: `sha256`, `sha512` or `sha1`. Default:
	// `sha256`.
	Algorithm string `json:"algorithm,omitempty"`

	// Encoding writes the signature: `hex` or `base64`. Default: `hex`.
	Encoding string `json:"encoding,omitempty"`

	// Content is what is signed, with `{body}`, `{timestamp}` and `{id}`.
	// Default: `{body}`.
	Content string `json:"content,omitempty"`

	// Value is what the header holds, with `{signature}`, `{timestamp}` and
	// `{id}`. Default: `{signature}`.
	Value string `json:"value,omitempty"`

	Rotation
}

// Rotation says when a current secret or key has replaced those before.
type Rotation struct {
	// Replaced is when the first of the secrets or keys replaced the others,
	// as RFC 3339 has it. Placeholders such as `{env.NAME}` are replaced.
	// Default: the others sign as long as they stand here.
	Replaced string `json:"replaced,omitempty"`

	// Overlap is how long the others sign after that. Default: 24h.
	Overlap caddy.Duration `json:"overlap,omitempty"`
}

// end returns the time from which replaced secrets do not sign any more, zero for
// never.
func (r Rotation) end(repl *filler, secrets int) (time.Time, error) {
	if r.Replaced == "" {
		if r.Overlap != 0 {
			return time.Time{}, fmt.Errorf("overlap: it begins when a secret is replaced; add that time, as: replaced 2026-11-21T12:00:00Z")
		}
		return time.Time{}, nil
	}
	if secrets < 2 {
		return time.Time{}, fmt.Errorf("replaced: there is no secret that was replaced; write it after the current one, or leave the time out")
	}
	text, err := fill(repl, "replaced", r.Replaced)
	if err != nil {
		return time.Time{}, err
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("replaced %s: write a time as 2026-11-21T12:00:00Z", text)
	}
	if r.Overlap == 0 {
		return at.Add(sign.DefaultOverlap), nil
	}
	return at.Add(time.Duration(r.Overlap)), nil
}

// secrets parses secrets. All but the first end as the rotation says.
func (r Rotation) secrets(repl *filler, what string, texts []string, parse func(string) (sign.Secret, error)) ([]sign.Secret, error) {
	plain, err := fillAll(repl, what, texts)
	if err != nil {
		return nil, fmt.Errorf("%w, for example to what `echo whsec_$(openssl rand -base64 32)` prints", err)
	}
	end, err := r.end(repl, len(texts))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	var secrets []sign.Secret
	for i, text := range plain {
		secret, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		if i > 0 {
			secret = secret.Until(end)
		}
		secrets = append(secrets, secret)
	}
	return secrets, nil
}

// schemes returns the ways of signing: nil for the default, an empty slice for
// none.
func (e *Endpoint) schemes(repl *filler) ([]sign.Scheme, error) {
	if e.NoSignature {
		if len(e.Signatures) > 0 {
			return nil, fmt.Errorf("signature: there are some, and `none`; keep one of both")
		}
		return []sign.Scheme{}, nil
	}
	var schemes []sign.Scheme
	for _, signature := range e.Signatures {
		scheme, err := signature.scheme(repl)
		if err != nil {
			return nil, fmt.Errorf("signature %s: %w", signature.Scheme, err)
		}
		schemes = append(schemes, scheme)
	}
	return schemes, nil
}

// scheme returns the scheme as the emitter wants it.
func (s *Signature) scheme(repl *filler) (sign.Scheme, error) {
	switch s.Scheme {
	case schemeStandard:
		return sign.Standard{}, nil
	case schemeRFC9421:
		ids, err := fillAll(repl, "key id", s.KeyIDs)
		if err != nil {
			return nil, err
		}
		return sign.NewMessageSignatures(ids...)
	case schemeXSignature:
		keys, err := s.secrets(repl, "key", s.Keys, sign.ParseKey)
		if err != nil {
			return nil, err
		}
		return s.xSignature(keys)
	}
	return nil, fmt.Errorf("there is no such scheme; there are standard, x-signature, rfc9421 and none")
}

// xSignature returns the scheme of a style with some keys.
func (s *Signature) xSignature(keys []sign.Secret) (sign.Scheme, error) {
	style := sign.Style{}
	if s.Style != "" {
		var err error
		if style, err = sign.Preset(s.Style); err != nil {
			return nil, err
		}
	}
	for _, field := range []struct {
		to   *string
		text string
	}{
		{&style.Header, s.Header},
		{&style.TimestampHeader, s.TimestampHeader},
		{&style.Algorithm, s.Algorithm},
		{&style.Encoding, s.Encoding},
		{&style.Content, s.Content},
		{&style.Value, s.Value},
	} {
		if field.text != "" {
			*field.to = field.text
		}
	}
	return sign.NewXSignature(style, keys...)
}

// needsSecret reports whether a signature is made with the endpoint's secrets.
func (e *Endpoint) needsSecret() bool {
	return !e.NoSignature && (len(e.Signatures) == 0 ||
		slices.ContainsFunc(e.Signatures, func(s *Signature) bool { return s.Scheme != schemeXSignature }))
}

// unmarshalSecret reads
//
//	secret <current> [<previous...>] {
//	    replaced <time>
//	    overlap  <duration>
//	}
func (e *Endpoint) unmarshalSecret(d *caddyfile.Dispenser) error {
	if e.Secrets = d.RemainingArgs(); len(e.Secrets) == 0 {
		return d.Errf("secret of endpoint %s takes a value", e.Name)
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		known, err := e.Rotation.unmarshalOption(d, d.Val())
		if err != nil {
			return err
		}
		if !known {
			return d.Errf("unknown option %q of secret; it takes replaced and overlap", d.Val())
		}
	}
	return nil
}

// unmarshalOption reads one word of a block. It reports false for a word that is not
// of the rotation.
func (r *Rotation) unmarshalOption(d *caddyfile.Dispenser, word string) (known bool, err error) {
	switch word {
	case "replaced":
		r.Replaced, err = argument.One(d)
		return true, err
	case "overlap":
		return true, argument.Duration(d, &r.Overlap)
	}
	return false, nil
}

// unmarshalSignature reads
//
//	signature standard|none
//	signature rfc9421 [<key ids...>]
//	signature x-signature [<style>] {
//	    key <current> [<previous...>]
//	    header|timestamp_header|algorithm|encoding|content|value <text>
//	    replaced <time>
//	    overlap  <duration>
//	}
func (e *Endpoint) unmarshalSignature(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.Err("signature takes standard, x-signature, rfc9421 or none")
	}
	s := &Signature{Scheme: args[0]}
	args = args[1:]
	switch {
	case s.Scheme == schemeNone && len(args) == 0:
		e.NoSignature = true
		return nil
	case s.Scheme == schemeStandard && len(args) == 0:
	case s.Scheme == schemeRFC9421:
		s.KeyIDs = args
	case s.Scheme == schemeXSignature && len(args) <= 1:
		s.Style = append(args, "")[0]
		if err := s.unmarshalStyle(d); err != nil {
			return err
		}
	default:
		return d.Errf("signature takes standard, `x-signature STYLE`, `rfc9421 KEY_ID...` or none, not %q", append([]string{s.Scheme}, args...))
	}
	e.Signatures = append(e.Signatures, s)
	return nil
}

func (s *Signature) unmarshalStyle(d *caddyfile.Dispenser) error {
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		to, known := map[string]*string{
			"header": &s.Header, "timestamp_header": &s.TimestampHeader, "algorithm": &s.Algorithm,
			"encoding": &s.Encoding, "content": &s.Content, "value": &s.Value,
		}[word]
		var err error
		switch {
		case known:
			*to, err = argument.One(d)
		case word == "key":
			if s.Keys = d.RemainingArgs(); len(s.Keys) == 0 {
				err = d.Err("key takes a value, as {env.API_KEY}")
			}
		default:
			if known, err = s.Rotation.unmarshalOption(d, word); err == nil && !known {
				err = d.Errf("unknown option %q of signature x-signature; it takes key, header, timestamp_header, "+
					"algorithm, encoding, content, value, replaced and overlap", word)
			}
		}
		if err != nil {
			return err
		}
	}
	// The keys themselves are known only when their placeholders are replaced.
	stand := make([]sign.Secret, len(s.Keys))
	for i := range stand {
		stand[i], _ = sign.ParseKey("stands for a key")
	}
	if _, err := s.xSignature(stand); err != nil {
		return d.WrapErr(err)
	}
	return nil
}
