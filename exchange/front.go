// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// frontOf returns the name under which a request came, as a reverse proxy passes it
// on.
func frontOf(r *http.Request) show.Front {
	front := show.Front{Host: r.Host, Scheme: "http"}
	if r.TLS != nil {
		front.Scheme = "https"
	}
	if trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool); !trusted {
		return front // anybody can write these headers
	}
	if scheme := lastOf(r.Header["X-Forwarded-Proto"]); scheme != "" {
		front.Scheme = strings.ToLower(scheme)
	}
	front.ForwardedHost = lastOf(r.Header["X-Forwarded-Host"])
	return front
}

// lastOf returns the last value of a list in a header, which the nearest proxy has
// added.
func lastOf(fields []string) string {
	if len(fields) == 0 {
		return ""
	}
	last := fields[len(fields)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}

// confirmed tells under which name the API has confirmed a change of what is marked,
// before it is marked: it is read under the same name.
func (x *exchange) confirmed(marks []queue.Mark) {
	if x.watcher.opts.Confirmed == nil {
		return
	}
	keys := make([]event.Key, len(marks))
	for i := range marks {
		keys[i] = marks[i].Key
	}
	x.watcher.opts.Confirmed(frontOf(x.request.HTTP), keys)
}
