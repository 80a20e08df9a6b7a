// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// maxAnswer limits an answer that is read as a whole, in bytes.
const maxAnswer = 64 << 20

// client makes requests to the admin endpoint of a running Caddy.
type client struct {
	address string
}

// client returns the client of the admin endpoint that the flags name.
func (c call) client() (client, error) {
	address, err := caddycmd.DetermineAdminAPIAddress(c.String("address"), nil, c.String("config"), c.String("adapter"))
	if err != nil {
		return client{}, fmt.Errorf("finding the admin endpoint: %w", err)
	}
	return client{address}, nil
}

// open makes a request, with a body of JSON unless it is nil, and returns the
// body of the answer. The caller closes it. A refusal is an error.
func (c client) open(method, path string, query url.Values, body any) (io.ReadCloser, error) {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		sent = bytes.NewReader(text)
	}
	response, err := caddycmd.AdminAPIRequest(c.address, method, path, nil, sent)
	if err != nil {
		return nil, fmt.Errorf("asking the admin endpoint: %w", err)
	}
	return response.Body, nil
}

// read returns what a path answers.
func (c client) read(path string, query url.Values) ([]byte, error) {
	answer, err := c.open(http.MethodGet, path, query, nil)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	text, err := io.ReadAll(io.LimitReader(answer, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	return text, nil
}

// do makes a request and decodes its answer.
func (c client) do(method, path string, query url.Values, body, into any) error {
	answer, err := c.open(method, path, query, body)
	if err != nil {
		return err
	}
	defer answer.Close()
	return decode(io.LimitReader(answer, maxAnswer), into)
}

// decode reads an answer. Numbers of unknown type stay as they are written.
func decode(answer io.Reader, into any) error {
	decoder := json.NewDecoder(answer)
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil
}
