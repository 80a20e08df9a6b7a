// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
)

const (
	// maxAnswer limits an answer that is read as a whole, in bytes.
	maxAnswer = 64 << 20
	// maxRefusal limits what is read of an answer that is a refusal.
	maxRefusal = 1 << 20
	// dialTimeout limits how long a connection may take.
	dialTimeout = 10 * time.Second
)

// client makes requests to the admin endpoint of a running Caddy. It does what
// Caddy's own commands do, and tells a refusal from its text.
type client struct {
	address caddy.NetworkAddress
	http    *http.Client
}

// client returns the client of the admin endpoint that the flags name.
func (c call) client() (client, error) {
	text, err := c.adminAddress()
	if err != nil {
		return client{}, err
	}
	address, err := caddy.ParseNetworkAddress(text)
	if err != nil || address.PortRangeSize() > 1 {
		return client{}, fmt.Errorf("%q is no address of an admin endpoint; write it as localhost:2019 or unix//run/caddy/admin.sock", text)
	}
	if address.IsUnixNetwork() {
		// The permissions of the socket may follow its path.
		address.Host, _, _ = strings.Cut(address.Host, "|")
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, address.Network, address.JoinHostPort(0))
	}
	return client{address, &http.Client{Transport: &http.Transport{DialContext: dial}}}, nil
}

// refusal is an answer of the admin endpoint that is no success.
type refusal struct {
	status int
	// reason says why in words; answer is the whole of it.
	reason, answer string
}

func (r *refusal) Error() string { return r.reason }

// open makes a request, with a body of JSON unless it is nil, and returns the
// body of the answer. The caller closes it. A refusal is an error.
func (c client) open(method, path string, query url.Values, body any) (io.ReadCloser, error) {
	return c.openWith(context.Background(), method, path, query, body)
}

// openWith is open with a context that ends the request and its answer.
func (c client) openWith(ctx context.Context, method, path string, query url.Values, body any) (io.ReadCloser, error) {
	request, err := c.request(ctx, method, path, query, body)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, unreachable(c.address, err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		defer response.Body.Close()
		text, err := io.ReadAll(io.LimitReader(response.Body, maxRefusal))
		if err != nil {
			return nil, fmt.Errorf("reading the answer: %w", err)
		}
		return nil, &refusal{response.StatusCode, c.reason(response, text), string(text)}
	}
	return response.Body, nil
}

// request returns a request as the admin endpoint takes it from a local program.
func (c client) request(ctx context.Context, method, path string, query url.Values, body any) (*http.Request, error) {
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
	origin := "http://127.0.0.1" // of a socket, which has no name
	if !c.address.IsUnixNetwork() {
		origin = "http://" + c.address.JoinHostPort(0)
	}
	request, err := http.NewRequestWithContext(ctx, method, origin+path, sent)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	if !c.address.IsUnixNetwork() {
		request.Header.Set("Origin", origin)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

// reason says why the admin endpoint refused a request: in its words, if it is one
// of ours.
func (c client) reason(response *http.Response, text []byte) string {
	var answer struct {
		Error string `json:"error"`
		problem
	}
	if json.Unmarshal(text, &answer) == nil && answer.Error+answer.Detail != "" {
		return cmp.Or(answer.Error, answer.sentence())
	}
	if response.StatusCode == http.StatusNotFound {
		return fmt.Sprintf("what answers at %s has no webhooks: is it another program, or a Caddy without this module? See `caddy list-modules`", c.address)
	}
	return fmt.Sprintf("what answers at %s said %s: %.200s", c.address, response.Status, bytes.TrimSpace(text))
}

// problem is what the tenants' API answers to a request that it refuses (RFC 9457).
type problem struct {
	Detail string `json:"detail"`
	Errors []struct {
		Pointer string `json:"pointer"`
		Detail  string `json:"detail"`
		Remedy  string `json:"remedy"`
	} `json:"errors"`
}

// sentence says what is wrong, and what to do about it.
func (p *problem) sentence() string {
	if len(p.Errors) == 0 {
		return p.Detail
	}
	var all []string
	for _, of := range p.Errors {
		text := of.Detail
		if of.Remedy != "" {
			text += "; " + of.Remedy
		}
		if name := strings.TrimLeft(of.Pointer, "/?"); name != "" {
			text = name + ": " + text
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

// unreachable says that nothing answers, and what that may be due to.
func unreachable(address caddy.NetworkAddress, err error) error {
	return fmt.Errorf("no Caddy answers at %s: %w. Is it running? If its configuration puts the admin endpoint elsewhere, "+
		"name it with --config FILE or --address ADDRESS; if it says `admin off`, there is none to ask", address, unwrapped(err))
}

// unwrapped returns an error of a request without the URL.
func unwrapped(err error) error {
	if failed, ok := err.(*url.Error); ok { //nolint:errorlint // it is what an http.Client returns
		return failed.Err
	}
	return err
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

// delete has something deleted, of which nothing is answered. Whatever else answers has
// something to say, and what was to be deleted may be there still.
func (c client) delete(path, what string) error {
	answer, err := c.open(http.MethodDelete, path, nil, nil)
	if err != nil {
		return err
	}
	defer answer.Close()
	if text, err := io.ReadAll(io.LimitReader(answer, 1)); err != nil || len(text) > 0 {
		return fmt.Errorf("reading the answer: it is not that of the admin API, so %s still", what)
	}
	return nil
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
