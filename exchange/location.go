// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// isOwn reports whether a host is a name of this API: one that the client used, or
// the one that the API sees, since an API builds links with it. Behind TLS, a proxy
// sends the name of the API's address, unless it is told otherwise.
func (x *exchange) isOwn(host string) bool {
	r := x.request.HTTP
	names := append([]string{r.Host, r.URL.Host, frontOf(r).ForwardedHost}, x.watcher.opts.Hosts...)
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		for _, name := range []string{"http.reverse_proxy.upstream.hostport", "http.reverse_proxy.upstream.host"} {
			if text, ok := repl.GetString(name); ok {
				names = append(names, text)
			}
		}
	}
	host = plainHost(host)
	return slices.ContainsFunc(names, func(name string) bool { return name != "" && plainHost(name) == host })
}

// plainHost returns a host as all spellings of it have it: in small letters, without a
// dot at its end, and without the port that HTTP or HTTPS has by itself.
func plainHost(host string) string {
	if name, port, err := net.SplitHostPort(host); err == nil && (port == "80" || port == "443" || port == "") {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// leadsElsewhere returns why the response's Location does not show the object if it leads
// to another host; nil if there is none or it does not.
func (x *exchange) leadsElsewhere() error {
	if x.tee.answer.location == "" || x.location() != nil {
		return nil
	}
	target, err := x.request.HTTP.URL.Parse(x.tee.answer.location)
	if err != nil {
		return errBadLocation
	}
	return fmt.Errorf("the response has no id at the resource's id paths, and its Location leads to %.100q, which is no name of this API: "+
		"it is none that the client, the proxy or `header_up Host` of upstream has", target.Host)
}
