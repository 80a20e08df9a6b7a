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
	"strings"
	"syscall"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/auth"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
)

// describe says in words why an attempt failed. It composes the words from what
// is known of the error, and never passes on an error's own text, which may
// quote a URL or what a receiver sent; only texts of the egress policy are
// written to be shown.
func describe(err error) string {
	if err == nil {
		// The usual case. The variables below would be allocated.
		return ""
	}
	var (
		blocked *egress.BlockedError
		proxy   *egress.ProxyError
		token   *auth.TokenError
	)
	switch {
	case errors.As(err, &token) && token.Reason != "":
		return token.Error()
	case errors.As(err, &token):
		return "OAuth 2.0, asking for a token: " + describe(token.Unwrap())
	case errors.As(err, &blocked):
		return blocked.Error()
	case errors.As(err, &proxy):
		return proxy.Error()
	case errors.Is(err, errNoAddress), errors.Is(err, errPanic):
		return err.Error()
	case errors.Is(err, errBrokenAnswer):
		return describeBroken(err)
	case errors.Is(err, context.Canceled):
		return "cancelled"
	}
	for _, words := range []func(error) string{describeName, describeCertificate, describeTLS, describeConnection, describeProtocol} {
		if text := words(err); text != "" {
			return text
		}
	}
	return "the request failed"
}

// describeCode says in words why a status is not a success.
func describeCode(code int) string {
	text := fmt.Sprintf("answered %d", code)
	if name := http.StatusText(code); name != "" {
		text += " " + name
	}
	if code >= 300 && code <= 399 {
		text += "; redirects are not followed"
	}
	return text
}

// describeBroken describes failures while the answer's body was read.
func describeBroken(err error) string {
	switch {
	case isTimeout(err):
		return "timed out before the answer was complete"
	case errors.Is(err, syscall.ECONNRESET):
		return "the receiver reset the connection before the answer was complete"
	default:
		return "the answer broke off"
	}
}

func describeName(err error) string {
	var name *net.DNSError
	switch {
	case !errors.As(err, &name):
		return ""
	case name.IsNotFound:
		return fmt.Sprintf("DNS: %s does not exist", name.Name)
	case name.IsTimeout:
		return fmt.Sprintf("DNS: looking up %s timed out", name.Name)
	default:
		return fmt.Sprintf("DNS: looking up %s failed", name.Name)
	}
}

// certificateWords begin every text about a receiver's certificate.
const certificateWords = "TLS: the certificate "

func describeCertificate(err error) string {
	var (
		invalid   x509.CertificateInvalidError
		host      x509.HostnameError
		authority x509.UnknownAuthorityError
		verifying *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return certificateWords + "has expired or is not valid yet"
	case errors.As(err, &invalid):
		return certificateWords + "is not valid"
	case errors.As(err, &host):
		return certificateWords + "is not for " + host.Host
	case errors.As(err, &authority):
		return certificateWords + "is signed by an unknown authority"
	case errors.As(err, &verifying):
		return certificateWords + "could not be verified"
	default:
		return ""
	}
}

func describeTLS(err error) string {
	var (
		record tls.RecordHeaderError
		remote *net.OpError
	)
	text := innermost(err).Error()
	switch {
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record):
		return "TLS: the receiver does not speak it on this port"
	case errors.As(err, &remote) && remote.Op == "remote error":
		// A receiver can only send one of a fixed list of words here.
		return "TLS: the receiver refused the handshake: " + strings.TrimPrefix(text, "tls: ")
	case strings.Contains(text, "TLS handshake timeout"):
		return "TLS: the handshake timed out"
	case strings.HasPrefix(text, "tls: "):
		return "TLS: the handshake failed"
	default:
		return ""
	}
}

func describeConnection(err error) string {
	switch {
	case isTimeout(err):
		return "timed out before an answer came"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the receiver reset the connection"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no route to the receiver"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "no local address to connect from; is the address that egress names this machine's?"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "too many open files on this machine"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "the receiver closed the connection without an answer"
	default:
		return ""
	}
}

// describeProtocol distinguishes failures of the standard library that have no
// type, by the parts of their texts that never quote anything.
func describeProtocol(err error) string {
	text := innermost(err).Error()
	var opening *net.OpError
	switch {
	case strings.Contains(text, "server response headers exceeded"), strings.Contains(text, "response header list larger"),
		strings.Contains(text, "header list too large"):
		return "the answer's headers are too large"
	case strings.Contains(text, "server closed idle connection"), strings.Contains(text, "client connection lost"):
		return "the receiver closed the connection without an answer"
	case strings.Contains(text, "malformed HTTP"), strings.Contains(text, "malformed MIME"),
		strings.Contains(text, "message cannot contain multiple"):
		return "the answer is not valid HTTP"
	case strings.HasPrefix(text, "http2: "), strings.HasPrefix(text, "stream error: "):
		return "the receiver broke off the HTTP/2 stream"
	case strings.HasPrefix(text, "connection error: "):
		return "the HTTP/2 connection failed"
	case errors.As(err, &opening) && opening.Op == "dial":
		return "connecting failed"
	default:
		return ""
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// innermost returns the error that all others wrap.
func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
