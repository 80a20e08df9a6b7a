// SPDX-License-Identifier: Apache-2.0

package transparent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
)

// overHTTP2 executes a plan through a site, with HTTP/2.
func (l *lab) overHTTP2(s site, p plan, r *run) result {
	ctx, cancel := context.WithTimeout(context.Background(), 2*testTimeout)
	defer cancel()
	if p.leave != nil {
		left := make(chan struct{})
		defer func() { <-left }()
		go func() {
			defer close(left)
			r.await("the client's time to leave", p.leave)
			cancel()
			r.move(func(p *position) { p.gone = true })
		}()
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, s.addr)
		},
		TLSClientConfig:    &tls.Config{ServerName: hostname, InsecureSkipVerify: true},
		ForceAttemptHTTP2:  true,
		DisableCompression: true,
	}
	defer transport.CloseIdleConnections()

	var got result
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			got.informational = append(got.informational, newHead(fmt.Sprint(code), fieldsOf(http.Header(header))))
			r.move(func(p *position) { p.informed++ })
			return nil
		},
	})
	request, err := p.request(ctx, r)
	if err != nil {
		return result{failure: err.Error()}
	}
	response, err := transport.RoundTrip(request)
	if p.leave != nil {
		if err == nil {
			_ = drain(response, new(result), r)
		}
		return result{end: endLeft}
	}
	if err != nil {
		got.failure, got.end = err.Error(), endOf(err)
		return got
	}
	got.head = newHead(response.Proto+" "+response.Status, fieldsOf(response.Header))
	got.framing = fmt.Sprintf("announced trailers %d", len(response.Trailer))
	err = drain(response, &got, r)
	got.end = endOf(err)
	got.trailers = fieldsOf(response.Trailer)
	got.trailers = newHead("", got.trailers).fields
	return got
}

// request returns the plan's request. Its body comes from a goroutine that ends
// with the request.
func (p plan) request(ctx context.Context, r *run) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, p.method, "https://"+hostname+p.path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set(runHeader, r.id)
	request.Header.Set("User-Agent", "")
	for _, field := range p.fields {
		name, value, _ := strings.Cut(field, ": ")
		request.Header.Add(name, value)
	}
	if p.body == nil && !p.chunked {
		return request, nil
	}
	request.ContentLength = int64(len(strings.Join(p.body, "")))
	if p.chunked {
		request.ContentLength = -1
	}
	request.Trailer = make(http.Header)
	for _, trailer := range p.trailers {
		name, _, _ := strings.Cut(trailer, ": ")
		request.Trailer[name] = nil
	}
	reader, writer := io.Pipe()
	request.Body = reader
	go func() {
		sent := 0
		for i, piece := range p.body {
			if _, err := io.WriteString(writer, piece); err != nil {
				return
			}
			sent += len(piece)
			if !p.chunked && i == len(p.body)-1 {
				// The client looks for the end before it sends the last piece.
				break
			}
			if p.lockstep && !r.await(fmt.Sprintf("the API to have %d bytes", sent), func(p position) bool { return p.uploaded >= sent || p.gone }) {
				writer.CloseWithError(errors.New("the API does not read"))
				return
			}
		}
		for _, trailer := range p.trailers {
			name, value, _ := strings.Cut(trailer, ": ")
			request.Trailer.Set(name, value)
		}
		writer.Close()
	}()
	return request, nil
}

// drain reads a body to its end, and reports its progress.
func drain(response *http.Response, got *result, r *run) error {
	defer response.Body.Close()
	r.move(func(p *position) { p.answered = true })
	buffer := make([]byte, 32<<10)
	for {
		n, err := response.Body.Read(buffer)
		got.body = append(got.body, buffer[:n]...)
		if n > 0 {
			r.move(func(p *position) { p.received += n })
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func fieldsOf(header http.Header) []string {
	var fields []string
	for name, values := range header {
		for _, value := range values {
			fields = append(fields, name+": "+value)
		}
	}
	return fields
}
