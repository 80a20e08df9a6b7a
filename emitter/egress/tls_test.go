// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// newPair returns a certificate for a client, signed by itself, and its key.
func newPair(t testing.TB, name string) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}

// TestMutualTLS has a receiver that accepts one client only, and whose own
// certificate a private authority has signed.
func TestMutualTLS(t *testing.T) {
	certificate, key := newPair(t, "caddy-webhooks")
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(certificate)
	for _, http2 := range []bool{false, true} {
		there, _ := newTLSReceiver(t, func(s *httptest.Server) {
			s.EnableHTTP2 = http2
			s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients, MinVersion: tls.VersionTLS12}
		})
		authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: there.Certificate().Raw})
		otherCertificate, otherKey := newPair(t, "somebody else")
		transport := newTransport(t, forTrying(), Options{})
		for _, test := range []struct {
			name                        string
			certificate, key, authority []byte
			ok                          bool
		}{
			{"both", certificate, key, authority, true},
			{"no authority", certificate, key, nil, false},
			{"no certificate", nil, nil, authority, false},
			{"another certificate", otherCertificate, otherKey, authority, false},
			{"another authority", certificate, key, otherCertificate, false},
		} {
			settings, err := NewTLS(test.certificate, test.key, test.authority)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := post(t, transport.With(settings), there.URL); test.ok != (err == nil) {
				t.Errorf("HTTP/2 %t, %s: got %v", http2, test.name, err)
			}
		}
		if _, err := post(t, transport, there.URL); err == nil {
			t.Errorf("HTTP/2 %t: without settings: accepted", http2)
		}
	}
}

// TestVariants shares transports between equal settings only, applies the
// policy to them, and forgets them.
func TestVariants(t *testing.T) {
	certificate, key := newPair(t, "one")
	settings := func(authority []byte) *TLS {
		made, err := NewTLS(certificate, key, authority)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	transport := newTransport(t, Policy{AllowHTTP: true}, Options{})
	one := transport.With(settings(nil))
	if transport.With(nil) != transport || transport.With(settings(nil)) != one || transport.With(settings(certificate)) == one || one == transport {
		t.Error("transports are shared wrongly")
	}
	there := newReceiver(t, anyPort("127.0.0.1"), noContent)
	if _, err := post(t, one, there.URL); !errors.Is(err, ErrBlocked) {
		t.Errorf("a receiver with TLS of its own escapes the policy: %v", err)
	}
	transport.Keep([]*TLS{settings(certificate)})
	if len(transport.variants) != 1 || transport.With(settings(nil)) == one {
		t.Error("an unused transport was kept")
	}
	transport.Keep(nil)
	if len(transport.variants) != 0 {
		t.Error("an unused transport was kept")
	}
}

func TestTLSThatCannotBe(t *testing.T) {
	certificate, key := newPair(t, "one")
	_, otherKey := newPair(t, "other")
	for name, texts := range map[string][3][]byte{
		"nothing":                {},
		"no key":                 {certificate, nil, nil},
		"no certificate":         {nil, key, nil},
		"another's key":          {certificate, otherKey, nil},
		"no PEM":                 {[]byte("canary"), []byte("canary"), nil},
		"an authority of no PEM": {nil, nil, []byte("canary")},
		"a key as authority":     {nil, nil, key},
	} {
		if _, err := NewTLS(texts[0], texts[1], texts[2]); !errors.Is(err, ErrBadTLS) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTLSNeverShows(t *testing.T) {
	certificate, key := newPair(t, "canary")
	settings, err := NewTLS(certificate, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	var printed strings.Builder
	type within struct{ TLS *TLS }
	for _, value := range []any{settings, *settings, within{settings}, &within{settings}, []*TLS{settings}} {
		text, _ := json.Marshal(value)
		fmt.Fprintf(&printed, "%v %+v %#v %s %d %x %s\n", value, value, value, value, value, value, text)
	}
	block, _ := pem.Decode(key)
	for _, leak := range []string{"canary", "63616e617279", "99 97 110", fmt.Sprintf("%x", block.Bytes[40:48]), fmt.Sprintf("%d", block.Bytes[40:44])} {
		if strings.Contains(printed.String(), leak) {
			t.Errorf("%q shows", leak)
		}
	}
	if settings.Equal(nil) || !(*TLS)(nil).Equal(nil) {
		t.Error("Equal is wrong about none")
	}
}
