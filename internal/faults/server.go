// SPDX-License-Identifier: Apache-2.0

// Package faults is a receiver that misbehaves, for tests: it refuses, resets,
// hangs, drips, floods and lies, in every way known from real receivers,
// accidental or malicious. How a sender should handle each fault is for the
// sender to decide.
package faults

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"sync"
	"time"
)

// Options say how a fault is played.
type Options struct {
	// Step is the time between two dripped bytes. Default: a second.
	Step time.Duration
	// Inward is the target of redirects. Default: the address of cloud
	// metadata.
	Inward string
}

// Fault is one way to misbehave.
type Fault struct {
	// Name is unique.
	Name string
	// answer plays the fault on a connection; afterwards the connection is
	// closed.
	answer func(c *connection)
	// certificate, if not nil, makes the receiver use TLS with this
	// certificate.
	certificate func(now time.Time) certificateRequest
	// config changes the TLS configuration.
	config func(*tls.Config)
	// absent means that nobody listens.
	absent bool
}

// Server plays a fault on every connection.
type Server struct {
	// URL is the server's URL.
	URL string
	// RootCAs holds the authority that signed its certificate, nil without TLS.
	RootCAs *x509.CertPool

	fault    Fault
	options  Options
	tls      *tls.Config
	listener net.Listener
	serving  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]struct{}
}

// Start plays a fault on a port of loopback, until Close.
func Start(fault Fault, options Options) (*Server, error) {
	if options.Step == 0 {
		options.Step = time.Second
	}
	if options.Inward == "" {
		options.Inward = "http://169.254.169.254/latest/meta-data/"
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it takes no time
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	s := &Server{fault: fault, options: options, listener: listener, open: map[net.Conn]struct{}{}}
	s.URL = "http://" + listener.Addr().String()
	if fault.certificate != nil {
		s.URL = "https://" + listener.Addr().String()
		if s.tls, s.RootCAs, err = fault.certificate(time.Now()).config(); err != nil {
			_ = listener.Close()
			return nil, err
		}
		if fault.config != nil {
			fault.config(s.tls)
		}
	}
	if fault.absent {
		_ = listener.Close()
		return s, nil
	}
	s.serving.Go(s.accept)
	return s, nil
}

// Close ends all connections and waits for them. It may be called more than
// once.
func (s *Server) Close() {
	_ = s.listener.Close()
	s.mu.Lock()
	s.closed = true
	for conn := range s.open {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.serving.Wait()
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			_ = conn.Close()
			return
		}
		s.open[conn] = struct{}{}
		s.mu.Unlock()
		s.serving.Go(func() { s.serve(conn) })
	}
}

func (s *Server) serve(conn net.Conn) {
	c := &connection{Conn: conn, tcp: conn.(*net.TCPConn), options: s.options}
	defer func() {
		_ = c.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, conn)
	}()
	if s.tls != nil {
		secured := tls.Server(conn, s.tls)
		// The fault may be a handshake that fails; then it is over.
		if secured.Handshake() != nil { //nolint:noctx // Close ends it
			return
		}
		c.Conn = secured
	}
	s.fault.answer(c)
}
