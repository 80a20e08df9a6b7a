// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"time"
)

// certificateRequest describes a receiver's certificate.
type certificateRequest struct {
	// host is the name in the certificate; the receiver is at 127.0.0.1.
	host       string
	begin, end time.Time
	// stranger keeps the certificate's authority out of RootCAs.
	stranger bool
}

// valid describes a certificate without faults.
func valid(now time.Time) certificateRequest {
	return certificateRequest{host: "127.0.0.1", begin: now.Add(-time.Hour), end: now.Add(time.Hour)}
}

// config makes the self-signed certificate.
func (r certificateRequest) config() (*tls.Config, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("making a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: r.host}, NotBefore: r.begin, NotAfter: r.end,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true, IsCA: true,
	}
	if ip := net.ParseIP(r.host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{r.host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, fmt.Errorf("making a certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("making a certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !r.stranger {
		roots.AddCert(leaf)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12,
	}, roots, nil
}
