// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

const hostHeader = "Host"

// isHost reports whether the value is the name under which the client reaches the
// API.
func (v Value) isHost() bool {
	return v.Source == FromHeader && http.CanonicalHeaderKey(v.Name) == hostHeader
}

// hostName returns the name in a Host, which anybody may spell otherwise: in capitals,
// with a port, or with a dot at its end.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
		if strings.Contains(name, ":") {
			host = "[" + name + "]"
		}
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// TellsHosts reports whether objects of the same id under other names of the API are
// others: the Host of Show is part of their key, or the same for all.
func (r *Resource) TellsHosts() bool {
	return len(r.Show.header[hostHeader]) > 0
}

// hostNames returns the placeholders of a request's Host that its path does not have.
// They are the first parts of a key: where an object lives comes before its id.
func hostNames(r syntax.Request, path []string) []string {
	var at Template
	for field, text := range r.Header {
		if http.CanonicalHeaderKey(field) == hostHeader {
			at.pieces(text, false)
		}
	}
	return slices.DeleteFunc(at.Names, func(name string) bool { return slices.Contains(path, name) })
}

// unsent are the fields that belong to one connection, and that no proxy passes on.
var unsent = []string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "Content-Length",
}

// checkSent refuses a field of a request's header that never reaches the API.
func checkSent(field string) error {
	if slices.Contains(unsent, http.CanonicalHeaderKey(field)) {
		return fmt.Errorf("header %s never reaches the API: it belongs to the connection; leave it out", field)
	}
	return nil
}

// seen refuses a field of a header that no rule ever sees: the server takes it out.
func (v Value) seen() error {
	if v.Source != FromHeader {
		return nil
	}
	switch http.CanonicalHeaderKey(v.Name) {
	case "Transfer-Encoding", "Trailer":
		return fmt.Errorf("%s belongs to the connection, and no rule sees it", v)
	}
	return nil
}

// checkCallerHeaders refuses a field that proves nothing of a caller.
func checkCallerHeaders(fields []string) error {
	for _, field := range fields {
		if http.CanonicalHeaderKey(field) == hostHeader {
			return fmt.Errorf("a Show carries the Host of clients by itself; leave %s out", field)
		}
		if err := checkSent(field); err != nil {
			return err
		}
	}
	return nil
}
