// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

var errPart = errors.New("a part of the batch is neither a request nor a change set")

// part is a part of a multipart body: one operation, or a change set of some.
type part struct {
	operations int
	changes    bool
}

// message is an HTTP message in a part, or with inner the messages of a change set.
type message struct {
	start  string
	header http.Header
	body   []byte
	id     string
	inner  []message
	set    bool
}

func parseMultipart(body []byte, boundary string, at *url.URL) (*Batch, error) {
	messages, err := readParts(body, boundary, true)
	if err != nil {
		return nil, err
	}
	b := &Batch{answers: multipartAnswers}
	for _, m := range messages {
		list := []message{m}
		if m.set {
			list = m.inner
		}
		for i := range list {
			o, err := list[i].operation(at)
			if err != nil {
				return nil, err
			}
			if b.Operations = append(b.Operations, o); len(b.Operations) > MaxOperations {
				return nil, errLong
			}
		}
		b.parts = append(b.parts, part{operations: len(list), changes: m.set})
	}
	return b, nil
}

// readParts reads the messages of a multipart body. It fails if it is not whole.
func readParts(body []byte, boundary string, outer bool) ([]message, error) {
	if boundary == "" {
		return nil, errPart
	}
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	var all []message
	for {
		p, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errPart, err)
		}
		if len(all) >= MaxOperations {
			return nil, errLong
		}
		text, err := io.ReadAll(p)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errPart, err)
		}
		media, params, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
		var m message
		switch {
		case err != nil:
			return nil, errPart
		case media == "multipart/mixed" && outer:
			m.set = true
			m.inner, err = readParts(text, params["boundary"], false)
		case media == "application/http":
			m, err = readMessage(text)
		default:
			return nil, errPart
		}
		if err != nil {
			return nil, err
		}
		if id := p.Header.Get("Content-Id"); id != "" {
			m.id = id
		}
		all = append(all, m)
	}
}

// readMessage reads an HTTP message, whose body goes on to the end of its part.
func readMessage(text []byte) (m message, err error) {
	reader := textproto.NewReader(bufio.NewReader(bytes.NewReader(bytes.TrimLeft(text, "\r\n"))))
	if m.start, err = reader.ReadLine(); err != nil {
		return m, errPart
	}
	header, err := reader.ReadMIMEHeader()
	if err != nil && !errors.Is(err, io.EOF) {
		return m, fmt.Errorf("%w: %w", errPart, err)
	}
	m.header = http.Header(header)
	m.id = m.header.Get("Content-Id")
	if m.body, err = io.ReadAll(reader.R); err != nil {
		return m, errPart
	}
	if n, err := strconv.Atoi(m.header.Get("Content-Length")); err == nil && n >= 0 && n < len(m.body) {
		m.body = m.body[:n]
	}
	return m, nil
}

// operation returns a message as the request that it is.
func (m *message) operation(at *url.URL) (o Operation, err error) {
	fields := strings.Fields(m.start)
	if len(fields) < 2 || len(fields) > 3 || m.set {
		return o, errPart
	}
	o = Operation{Method: fields[0], Header: m.header, Body: m.body, id: m.id}
	o.resolve(at, fields[1], false)
	return o, nil
}

// answer returns a message as the answer that it is, zero if it is none.
func (m *message) answer() (a Answer) {
	fields := strings.Fields(m.start)
	if len(fields) < 2 || !strings.HasPrefix(fields[0], "HTTP/") {
		return a
	}
	status, err := strconv.Atoi(fields[1])
	if err != nil || status < 200 || status > 599 {
		return a
	}
	return Answer{Status: status, Header: m.header, Body: m.body}
}

// multipartAnswers reads the answers of a multipart body: one for each part, and for a
// change set as many as it has, or one that refuses it as a whole.
func multipartAnswers(b *Batch, _ int, contentType string, body []byte) []Answer {
	all := make([]Answer, 0, len(b.Operations))
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil
	}
	messages, err := readParts(body, params["boundary"], true)
	if err != nil {
		return nil
	}
	for i, p := range b.parts {
		answers := make([]Answer, p.operations)
		if i < len(messages) {
			m := &messages[i]
			switch {
			case m.set && len(m.inner) == p.operations:
				b.assign(answers, m.inner, len(all))
			case !m.set && (!p.changes || m.answer().Status >= 400):
				for at := range answers {
					answers[at] = m.answer()
				}
			}
		}
		all = append(all, answers...)
	}
	return all
}

// assign assigns the answers of a change set, whose operations begin at an index, by
// their ids or else by their order.
func (b *Batch) assign(answers []Answer, inner []message, from int) {
	byID := make(map[string]*message)
	for i := range inner {
		if inner[i].id != "" {
			byID[inner[i].id] = &inner[i]
		}
	}
	for i := range answers {
		switch m := byID[b.Operations[from+i].id]; {
		case m != nil:
			answers[i] = m.answer()
		case len(byID) == 0:
			answers[i] = inner[i].answer()
		}
	}
}
