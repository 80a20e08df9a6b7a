// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers A questions of a resolver, each from its own connection
// in memory.
type nameServer struct {
	mu sync.Mutex
	// answers holds the addresses for one question after another; the last
	// ones stay.
	answers [][]netip.Addr
	asked   int
}

// resolver returns one that asks the server and nobody else.
func (s *nameServer) resolver(t testing.TB) *net.Resolver {
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		serving.Go(func() {
			defer server.Close()
			if err := s.serve(server); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("name server: %v", err)
			}
		})
		return client, nil
	}}
}

// serve answers the questions of a connection, framed as DNS over TCP is.
func (s *nameServer) serve(conn net.Conn) error {
	for {
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return err
		}
		question := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, question); err != nil {
			return err
		}
		var message dnsmessage.Message
		if err := message.Unpack(question); err != nil {
			return err
		}
		s.answer(&message)
		packed, err := message.Pack()
		if err != nil {
			return err
		}
		framed := binary.BigEndian.AppendUint16(nil, uint16(len(packed)))
		if _, err := conn.Write(append(framed, packed...)); err != nil {
			return err
		}
	}
}

func (s *nameServer) answer(message *dnsmessage.Message) {
	message.Response, message.RecursionAvailable = true, true
	message.Additionals = nil
	question := message.Questions[0]
	if question.Type != dnsmessage.TypeA {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	addrs := s.answers[min(s.asked, len(s.answers)-1)]
	s.asked++
	for _, addr := range addrs {
		message.Answers = append(message.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET},
			Body:   &dnsmessage.AResource{A: addr.As4()},
		})
	}
}
