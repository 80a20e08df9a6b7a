// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
)

// certificates is the variable with the directory of the receivers'
// certificate.
const certificates = "BENCH_CERTIFICATES"

// makeCertificate makes a certificate for this machine, and returns the pool
// that trusts it.
func (l *lab) makeCertificate() (*x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: certificate}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(l.dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return nil, err
		}
	}
	pool := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, err
	}
	pool.AddCert(parsed)
	return pool, os.Setenv(certificates, l.dir)
}

// serveReceivers serves receivers with TLS, over HTTP/1.1: one that accepts
// everything at all paths, and under /hang one that never answers.
func serveReceivers(address string) error {
	dir := os.Getenv(certificates)
	server := &http.Server{
		Addr: address, ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
			if r.URL.Path == "/hang" {
				<-r.Context().Done()
				return
			}
			w.WriteHeader(http.StatusNoContent)
		}),
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	return server.ListenAndServeTLS(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
}

// bareClient is the client that deliveries are compared with.
func bareClient(trusted *x509.CertPool, concurrency int) *http.Client {
	return &http.Client{Transport: &http.Transport{
		MaxIdleConns: concurrency, MaxIdleConnsPerHost: concurrency, TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12},
	}}
}

// newTransport returns the transport of deliveries.
func newTransport(trusted *x509.CertPool) (*egress.Transport, error) {
	policy := egress.Policy{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	return egress.New(policy, egress.Options{RootCAs: trusted})
}

func receiverURL(path string) string {
	return fmt.Sprintf("https://%s/%s", receiversAddress, path)
}
