// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/auth"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
)

func dialing(errno syscall.Errno) error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errno)}
}

// tokenError returns the error of a request for a token whose transport fails.
func tokenError(t *testing.T, err error) error {
	t.Helper()
	client, made := auth.ClientCredentials(auth.Client{ID: "a", Secret: "b", TokenURL: "https://login.example/canary"})
	if made != nil {
		t.Fatal(made)
	}
	return client.Authenticate(t.Context(), roundTripper(func(*http.Request) (*http.Response, error) { return nil, err }), http.Header{})
}

func TestDescribe(t *testing.T) {
	blocked := &egress.BlockedError{Reason: "10.0.0.1 is not a public address"}
	for _, test := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{&net.OpError{Op: "dial", Net: "tcp", Err: blocked}, "blocked by the egress policy: 10.0.0.1 is not a public address"},
		{&auth.TokenError{Reason: "the token endpoint answered 401 Unauthorized"}, "OAuth 2.0: the token endpoint answered 401 Unauthorized"},
		{tokenError(t, dialing(syscall.ECONNREFUSED)), "OAuth 2.0, asking for a token: connection refused"},
		{tokenError(t, &net.OpError{Op: "dial", Err: blocked}), "OAuth 2.0, asking for a token: blocked by the egress policy: 10.0.0.1 is not a public address"},
		{&net.OpError{Op: "dial", Err: &egress.ProxyError{Reason: "it refused the tunnel (403)"}}, "egress proxy: it refused the tunnel (403)"},
		{&net.DNSError{Name: "erp.example.com", IsNotFound: true}, "DNS: erp.example.com does not exist"},
		{&net.OpError{Op: "dial", Err: &net.DNSError{Name: "erp.example.com", IsTimeout: true}}, "DNS: looking up erp.example.com timed out"},
		{&net.DNSError{Name: "erp.example.com", Err: "server misbehaving"}, "DNS: looking up erp.example.com failed"},
		{&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}, "TLS: the certificate has expired or is not valid yet"},
		{x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign}, "TLS: the certificate is not valid"},
		{x509.HostnameError{Host: "erp.example.com", Certificate: &x509.Certificate{}}, "TLS: the certificate is not for erp.example.com"},
		{x509.UnknownAuthorityError{}, "TLS: the certificate is signed by an unknown authority"},
		{&tls.CertificateVerificationError{Err: errors.New("odd")}, "TLS: the certificate could not be verified"},
		{http.ErrSchemeMismatch, "TLS: the receiver does not speak it on this port"},
		{tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, "TLS: the receiver does not speak it on this port"},
		{&net.OpError{Op: "remote error", Err: tls.AlertError(40)}, "TLS: the receiver refused the handshake: handshake failure"},
		{errors.New("tls: server selected unsupported protocol version 301"), "TLS: the handshake failed"},
		{errors.New("net/http: TLS handshake timeout"), "TLS: the handshake timed out"},
		{dialing(syscall.ECONNREFUSED), "connection refused"},
		{dialing(syscall.EHOSTUNREACH), "no route to the receiver"},
		{dialing(syscall.ENETUNREACH), "no route to the receiver"},
		{dialing(syscall.ETIMEDOUT), "timed out before an answer came"},
		{dialing(syscall.EADDRNOTAVAIL), "no local address to connect from; is the address that egress names this machine's?"},
		{dialing(syscall.EMFILE), "too many open files on this machine"},
		{dialing(syscall.EPROTO), "connecting failed"},
		{&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, "the receiver reset the connection"},
		{&net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.EPIPE)}, "the receiver reset the connection"},
		{io.EOF, "the receiver closed the connection without an answer"},
		{errors.New("http: server closed idle connection"), "the receiver closed the connection without an answer"},
		{context.DeadlineExceeded, "timed out before an answer came"},
		{os.ErrDeadlineExceeded, "timed out before an answer came"},
		{context.Canceled, "cancelled"},
		{errors.New("net/http: server response headers exceeded 65536 bytes; aborted"), "the answer's headers are too large"},
		{errors.New(`net/http: HTTP/1.x transport connection broken: malformed HTTP response "canary"`), "the answer is not valid HTTP"},
		{errors.New("stream error: stream ID 1; INTERNAL_ERROR; received from peer"), "the receiver broke off the HTTP/2 stream"},
		{errors.New("http2: server sent GOAWAY and closed the connection; debug=canary"), "the receiver broke off the HTTP/2 stream"},
		{fmt.Errorf("%w: %w", errBrokenAnswer, context.DeadlineExceeded), "timed out before the answer was complete"},
		{fmt.Errorf("%w: %w", errBrokenAnswer, syscall.ECONNRESET), "the receiver reset the connection before the answer was complete"},
		{fmt.Errorf("%w: %w", errBrokenAnswer, io.ErrUnexpectedEOF), "the answer broke off"},
		{errors.New("canary"), "the request failed"},
	} {
		for _, err := range []error{test.err, wrap(test.err)} {
			got := describe(err)
			if got != test.want {
				t.Errorf("%v: got %q, want %q", err, got, test.want)
			}
			if strings.Contains(got, "canary") {
				t.Errorf("%q quotes the error", got)
			}
		}
	}
}

// wrap wraps an error as an http.Client would, beside the URL.
func wrap(err error) error {
	if err == nil {
		return nil
	}
	return &url.Error{Op: "Post", URL: "https://erp.example.com/canary?canary", Err: err}
}

func TestDescribeCode(t *testing.T) {
	for code, want := range map[int]string{
		500: "answered 500 Internal Server Error",
		302: "answered 302 Found; redirects are not followed",
		304: "answered 304 Not Modified; redirects are not followed",
		410: "answered 410 Gone",
		799: "answered 799",
	} {
		if got := describeCode(code); got != want {
			t.Errorf("%d: got %q, want %q", code, got, want)
		}
	}
}
