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

// nameServer answers the A and AAAA questions of a resolver, each from its own
// connection in memory.
type nameServer struct {
	mu sync.Mutex
	// answers holds the addresses for one question after another; the last ones
	// are repeated. No addresses mean that the name does not exist.
	answers [][]netip.Addr
	// alias, if not empty, is the canonical name of the name: the addresses
	// belong to the alias.
	alias string
	asked int
}

// resolver returns a resolver that asks this server only.
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
	s.mu.Lock()
	defer s.mu.Unlock()
	addrs := s.answers[min(s.asked, len(s.answers)-1)]
	if question.Type == dnsmessage.TypeA {
		s.asked++
	}
	if len(addrs) == 0 {
		message.RCode = dnsmessage.RCodeNameError
		return
	}
	name := question.Name
	if s.alias != "" {
		alias := dnsmessage.MustNewName(s.alias)
		message.Answers = append(message.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: name, Type: dnsmessage.TypeCNAME, Class: dnsmessage.ClassINET},
			Body:   &dnsmessage.CNAMEResource{CNAME: alias},
		})
		name = alias
	}
	for _, addr := range addrs {
		header := dnsmessage.ResourceHeader{Name: name, Type: question.Type, Class: dnsmessage.ClassINET}
		switch {
		case question.Type == dnsmessage.TypeA && addr.Is4():
			message.Answers = append(message.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: addr.As4()}})
		case question.Type == dnsmessage.TypeAAAA && !addr.Is4():
			message.Answers = append(message.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}})
		}
	}
}
