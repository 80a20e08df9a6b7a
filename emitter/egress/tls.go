// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
)

// TLS configures connections to one receiver: our client certificate, and the
// authority of the receiver's certificate. It is immutable. The key does not
// show, however it is printed.
type TLS struct {
	// A function, so that nothing prints the key.
	config func() (certificates []tls.Certificate, roots *x509.CertPool)
	id     [sha256.Size]byte
	tokens *TLS
}

// NewTLS returns the settings from PEM texts, or [ErrBadTLS]. They are a
// certificate (with its chain) and its private key, or neither; and the
// certificates of authorities, which then are the only ones that may have
// signed the receiver's certificate, or none to use the system's. Errors show
// nothing of the key.
func NewTLS(certificate, key, authorities []byte) (*TLS, error) {
	var certificates []tls.Certificate
	var roots *x509.CertPool
	if len(certificate) > 0 || len(key) > 0 {
		pair, err := tls.X509KeyPair(certificate, key)
		if err != nil {
			// The error describes the PEM's form, and never quotes it.
			return nil, fmt.Errorf("%w: the client certificate and its key: %w", ErrBadTLS, err)
		}
		certificates = []tls.Certificate{pair}
	}
	if len(authorities) > 0 {
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM(authorities) {
			return nil, fmt.Errorf("%w: the authority's file has no certificate in PEM form", ErrBadTLS)
		}
	}
	if certificates == nil && roots == nil {
		return nil, fmt.Errorf("%w: it has neither a client certificate nor an authority", ErrBadTLS)
	}
	hash := sha256.New()
	for _, text := range [][]byte{certificate, key, authorities} {
		fmt.Fprintf(hash, "%d:", len(text))
		_, _ = hash.Write(text)
	}
	made := &TLS{config: func() ([]tls.Certificate, *x509.CertPool) { return certificates, roots }}
	hash.Sum(made.id[:0])
	if roots != nil {
		made.tokens = newTokensTLS(made.id, authorities)
	}
	return made, nil
}

func newTokensTLS(id [sha256.Size]byte, authorities []byte) *TLS {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	roots.AppendCertsFromPEM(authorities)
	tokens := &TLS{config: func() ([]tls.Certificate, *x509.CertPool) { return nil, roots }}
	tokens.id = sha256.Sum256(append([]byte("tokens"), id[:]...))
	return tokens
}

// Equal reports whether two settings are the same; nil is none.
func (s *TLS) Equal(other *TLS) bool {
	if s == nil || other == nil {
		return s == other
	}
	return s.id == other.id
}

// ForTokens returns the settings for requesting access tokens, nil if none are
// needed: the endpoint's authorities are trusted there in addition to the
// system's, and the client certificate is not shown.
func (s *TLS) ForTokens() *TLS {
	if s == nil {
		return nil
	}
	return s.tokens
}

// String returns a constant in place of the settings.
func (s *TLS) String() string { return "tls[redacted]" }

// Format writes a constant in place of the settings, whatever the verb.
func (s *TLS) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, s.String()) }

// MarshalText returns a constant in place of the settings.
func (s *TLS) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// With returns the transport for a receiver with its own TLS settings; nil
// means none. It enforces the same rules, and shares no connection with
// receivers that have other settings. Equal settings get the same transport.
func (t *Transport) With(settings *TLS) *Transport {
	if settings == nil {
		return t
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for known, variant := range t.variants {
		if known.Equal(settings) {
			return variant
		}
	}
	config := t.base.TLSClientConfig.Clone()
	certificates, roots := settings.config()
	// Each transport adds what HTTP/2 needs by itself.
	config.Certificates, config.NextProtos = certificates, nil
	if roots != nil {
		config.RootCAs = roots
	}
	variant := &Transport{rules: t.rules, proxy: t.proxy, base: newBase(t.base.DialContext, config)}
	t.variants[settings] = variant
	return variant
}

// Keep drops the transports of settings that are not in use. Requests under way
// on them are not disturbed.
func (t *Transport) Keep(inUse []*TLS) {
	for _, other := range t.others {
		other.Keep(inUse)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for settings, variant := range t.variants {
		if !slices.ContainsFunc(inUse, settings.Equal) {
			variant.Close()
			delete(t.variants, settings)
		}
	}
}

// ErrBadTLS is returned for certificates and keys that cannot be used.
var ErrBadTLS = errors.New("not usable for TLS")
