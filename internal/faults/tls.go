// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"crypto/tls"
	"time"
)

// cut ends a connection between two records of TLS, without the closing alert.
func cut(c *connection) { _ = c.tcp.Close() }

// TLS returns the faults of TLS below HTTP/1.1.
func TLS() []Fault {
	const answer = "HTTP/1.1 204 No Content\r\n\r\n"
	certificate := func(change func(*certificateRequest)) func(time.Time) certificateRequest {
		return func(now time.Time) certificateRequest {
			request := valid(now)
			change(&request)
			return request
		}
	}
	return []Fault{
		{Name: "a certificate for another", answer: says(answer, nil), certificate: certificate(func(r *certificateRequest) { r.host = "crm.example" })},
		{Name: "a certificate that has expired", answer: says(answer, nil), certificate: certificate(func(r *certificateRequest) { r.end = r.begin.Add(time.Minute) })},
		{Name: "a certificate of tomorrow", answer: says(answer, nil), certificate: certificate(func(r *certificateRequest) {
			r.begin, r.end = r.end.Add(23*time.Hour), r.end.Add(48*time.Hour)
		})},
		{Name: "a certificate by a stranger", answer: says(answer, nil), certificate: certificate(func(r *certificateRequest) { r.stranger = true })},
		{Name: "TLS of long ago", answer: says(answer, nil), certificate: valid, config: func(c *tls.Config) {
			c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		}},
		{Name: "asks for our certificate", answer: says(answer, nil), certificate: valid, config: func(c *tls.Config) {
			c.ClientAuth = tls.RequireAnyClientCert
		}},
		{Name: "cuts TLS within the headers", answer: says("HTTP/1.1 200 OK\r\nA: b\r\n", cut), certificate: valid},
		{Name: "cuts TLS within the body", answer: says("HTTP/1.1 200 OK\r\n\r\nhalf", cut), certificate: valid},
		{Name: "cuts TLS within a body that has a length", answer: says("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", cut), certificate: valid},
		{Name: "cuts TLS between chunks", answer: says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfull\r\n", cut), certificate: valid},
		{Name: "resets TLS instead of an answer", answer: says("", (*connection).reset), certificate: valid},
		{Name: "endless body in TLS", answer: floods("HTTP/1.1 200 OK\r\n\r\n", filler), certificate: valid},
	}
}

// BelowTLS returns the faults of a port that does not speak TLS, for a sender
// that expects it. Their URLs begin with http, and must be requested as https.
func BelowTLS() []Fault {
	return []Fault{
		{Name: "no TLS", answer: func(c *connection) { c.say("HTTP/1.1 400 Bad Request\r\n\r\n") }},
		{Name: "hangs within the handshake", answer: (*connection).hang},
		{Name: "endless bytes instead of a handshake", answer: func(c *connection) { c.flood("\x16\x03\x01" + filler) }},
		{Name: "resets within the handshake", answer: (*connection).reset},
	}
}
