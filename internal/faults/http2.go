// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bytes"
	"crypto/tls"
	"io"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// session is an HTTP/2 connection, as far as faults need one.
type session struct {
	*connection
	*http2.Framer
	// stream is the first request's stream.
	stream uint32

	// mu separates the frames of the reader and of the fault.
	mu sync.Mutex
}

// headers writes a block of headers for the stream.
func (s *session) headers(end bool, fields ...string) {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := 0; i+1 < len(fields); i += 2 {
		// Writing to a buffer cannot fail.
		_ = encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: end})
}

// forever writes a frame until the other side closes.
func (s *session) forever(write func() error) {
	for {
		s.mu.Lock()
		err := write()
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// drain reads until the other side closes, and acknowledges pings.
func (s *session) drain() {
	for {
		frame, err := s.ReadFrame()
		if err != nil {
			return
		}
		if ping, ok := frame.(*http2.PingFrame); ok && !ping.IsAck() {
			s.mu.Lock()
			_ = s.WritePing(true, ping.Data)
			s.mu.Unlock()
		}
	}
}

// opened answers the preface, waits for a request and its body, and then plays
// a fault.
func opened(settings []http2.Setting, play func(*session)) func(*connection) {
	return func(c *connection) {
		preface := make([]byte, len(http2.ClientPreface))
		if _, err := io.ReadFull(c, preface); err != nil {
			return
		}
		s := &session{connection: c, Framer: http2.NewFramer(c, c)}
		if s.WriteSettings(settings...) != nil {
			return
		}
		for {
			frame, err := s.ReadFrame()
			if err != nil {
				return
			}
			switch frame := frame.(type) {
			case *http2.SettingsFrame:
				if !frame.IsAck() {
					_ = s.WriteSettingsAck()
				}
			case *http2.HeadersFrame:
				s.stream = frame.StreamID
			}
			// The request's body may never come if it was given no window.
			if s.stream != 0 && (len(settings) > 0 || frame.Header().StreamID == s.stream && frame.Header().Flags.Has(http2.FlagDataEndStream)) {
				break
			}
		}
		play(s)
	}
}

// HTTP2 returns the faults of HTTP/2.
func HTTP2() []Fault {
	data := make([]byte, 4096)
	faults := []Fault{
		{Name: "h2: goes away before an answer", answer: opened(nil, func(s *session) {
			_ = s.WriteGoAway(s.stream, http2.ErrCodeEnhanceYourCalm, []byte("canary"))
		})},
		{Name: "h2: goes away and hangs", answer: opened(nil, func(s *session) {
			_ = s.WriteGoAway(s.stream, http2.ErrCodeNo, nil)
			s.drain()
		})},
		{Name: "h2: goes away within the body", answer: opened(nil, func(s *session) {
			s.headers(false, ":status", "200")
			_ = s.WriteData(s.stream, false, []byte("half"))
			_ = s.WriteGoAway(s.stream, http2.ErrCodeInternal, []byte("canary"))
		})},
		{Name: "h2: refuses the stream", answer: opened(nil, func(s *session) {
			_ = s.WriteRSTStream(s.stream, http2.ErrCodeRefusedStream)
			s.drain()
		})},
		{Name: "h2: resets the stream", answer: opened(nil, func(s *session) {
			_ = s.WriteRSTStream(s.stream, http2.ErrCodeInternal)
			s.drain()
		})},
		{Name: "h2: resets the stream within the body", answer: opened(nil, func(s *session) {
			s.headers(false, ":status", "200", "content-length", "10")
			_ = s.WriteData(s.stream, false, []byte("half"))
			_ = s.WriteRSTStream(s.stream, http2.ErrCodeInternal)
			s.drain()
		})},
		{Name: "h2: resets the stream after the answer", answer: opened(nil, func(s *session) {
			s.headers(false, ":status", "200")
			_ = s.WriteData(s.stream, true, []byte("full"))
			_ = s.WriteRSTStream(s.stream, http2.ErrCodeNo)
			s.drain()
		})},
		{Name: "h2: closes instead of an answer", answer: opened(nil, func(*session) {})},
		{Name: "h2: hangs before the answer", answer: opened(nil, (*session).drain)},
		{Name: "h2: hangs within the body", answer: opened(nil, func(s *session) {
			s.headers(false, ":status", "200")
			s.drain()
		})},
		{Name: "h2: says nothing at all", answer: (*connection).hang},
		{Name: "h2: gives no window", answer: opened([]http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 0}}, (*session).drain)},
		{Name: "h2: endless body", answer: opened(nil, func(s *session) {
			s.headers(false, ":status", "200")
			s.forever(func() error { return s.WriteData(s.stream, false, data) })
		})},
		{Name: "h2: endless continuation", answer: opened(nil, func(s *session) {
			_ = s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.stream})
			s.forever(func() error { return s.WriteContinuation(s.stream, false, hpackFiller()) })
		})},
		{Name: "h2: huge headers", answer: opened(nil, func(s *session) {
			_ = s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.stream})
			for range 64 {
				_ = s.WriteContinuation(s.stream, false, hpackFiller())
			}
			_ = s.WriteContinuation(s.stream, true, nil)
			s.drain()
		})},
		{Name: "h2: endless interim answers", answer: opened(nil, func(s *session) {
			s.forever(func() error {
				return s.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, s.stream, interim())
			})
		})},
		{Name: "h2: endless pings", answer: opened(nil, func(s *session) {
			var draining sync.WaitGroup
			draining.Go(s.drain)
			s.forever(func() error { return s.WritePing(false, [8]byte{}) })
			draining.Wait()
		})},
		{Name: "h2: endless settings", answer: opened(nil, func(s *session) {
			var draining sync.WaitGroup
			draining.Go(s.drain)
			s.forever(func() error { return s.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 16384}) })
			draining.Wait()
		})},
		{Name: "h2: speaks HTTP/1.1", answer: func(c *connection) {
			if c.say("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ncanary") {
				c.hang()
			}
		}},
	}
	for i := range faults {
		faults[i].certificate = valid
		faults[i].config = func(c *tls.Config) { c.NextProtos = []string{"h2"} }
	}
	return faults
}

// hpackFiller is a part of a header block: a header of 4 KiB.
func hpackFiller() []byte { return block("a", filler) }

// interim is the header block of an interim answer.
func interim() []byte { return block(":status", "103") }

func block(name, value string) []byte {
	var b bytes.Buffer
	// Writing to a buffer cannot fail.
	_ = hpack.NewEncoder(&b).WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: true})
	return b.Bytes()
}

// All returns every fault that a server can play by itself.
func All() []Fault {
	all := HTTP1()
	all = append(all, TLS()...)
	return append(all, HTTP2()...)
}
