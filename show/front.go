// SPDX-License-Identifier: Apache-2.0

package show

import (
	"crypto/tls"
	"net/http"
	"sync"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Front is the name under which clients reach the API, as a reverse proxy passes it
// on. An API may answer by it: a virtual host has another site under each name, and
// frameworks refuse names that they do not know, or send those away who seem to come
// without TLS. The zero Front is no name: then the API is asked for under the name
// of its own address.
type Front struct {
	// Host is the request's Host.
	Host string
	// ForwardedHost is the X-Forwarded-Host of a proxy before Caddy that is
	// trusted, "" for none.
	ForwardedHost string
	// Scheme is "https" if clients use TLS, up to Caddy or up to such a proxy.
	Scheme string
}

// Limits of [Fronts]. What strangers can add is limited; forgetting is safe, since
// the name that most requests have is used instead.
const (
	maxFronts  = 32
	maxObjects = 4096
	maxHost    = 255
	// maxCount halves all counts, so that a new name needs no longer than this many
	// requests.
	maxCount = 1 << 12
)

// Fronts knows under which name to ask for Shows: the one that an object's last
// confirmed change came under, else the one of most confirmed changes, else the one
// that the configuration gives the site.
//
// The first is used only where the configuration says which names a site has. An API
// that takes any name may build the links in a Show from it, and whoever may change an
// object could send all its subscribers elsewhere.
//
// Only what the API has confirmed counts: anybody can send a request with any name,
// and the API's answer under another name would be taken for the object.
type Fronts struct {
	mu      sync.Mutex
	site    Front
	named   bool
	most    Front
	counts  map[Front]int
	objects map[event.Key]Front
}

// NewFronts returns a Fronts that knows nothing yet.
func NewFronts() *Fronts {
	return &Fronts{counts: make(map[Front]int), objects: make(map[event.Key]Front)}
}

// Configure sets the name that the configuration gives the site, and whether no request
// comes under another name than those that the configuration has.
func (f *Fronts) Configure(site Front, named bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.site, f.named = site, named; !named {
		clear(f.objects)
	}
}

// Confirm notes that the API has confirmed a change of some objects that a client
// asked for under a name.
func (f *Fronts) Confirm(front Front, objects []event.Key) {
	if front.Host == "" || len(front.Host) > maxHost || len(front.ForwardedHost) > maxHost {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.counts[front]; known || len(f.counts) < maxFronts {
		f.counts[front]++
	}
	if f.counts[front] > f.counts[f.most] {
		f.most = front
	}
	if f.counts[front] >= maxCount {
		for other := range f.counts {
			f.counts[other] /= 2
		}
	}
	if len(f.counts) == 1 || !f.named {
		return // of all objects
	}
	for _, key := range objects {
		if len(f.objects) >= maxObjects {
			clear(f.objects)
		}
		f.objects[key] = front
	}
}

// Of returns the name under which to ask for an object; zero for one that no change
// named.
func (f *Fronts) Of(key event.Key) Front {
	if f == nil {
		return Front{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch front, own := f.objects[key]; {
	case own:
		return front
	case f.most.Host != "":
		return f.most
	}
	return f.site
}

// Destruct implements caddy.Destructor: what is known outlives a configuration.
func (*Fronts) Destruct() error { return nil }

// apply gives a request the name. A Host of its own goes before it.
func (f Front) apply(r *http.Request) {
	r.Host = f.Host
	if own := r.Header.Get("Host"); own != "" {
		// Go sends no Host from the header.
		r.Host = own
	}
	r.Header.Del("Host")
	if f.Scheme == "https" {
		// The proxy tells the API by this that its client uses TLS.
		r.TLS = &tls.ConnectionState{HandshakeComplete: true, ServerName: r.Host}
	}
	if f.ForwardedHost != "" && r.Header.Get(forwardedHost) == "" {
		r.Header.Set(forwardedHost, f.ForwardedHost)
	}
}

const forwardedHost = "X-Forwarded-Host"

// trust makes the proxy pass on what a request says of proxies before it. All of it
// is the operator's, or came from a proxy that Caddy trusts.
func trust(r *http.Request) {
	for _, field := range []string{"X-Forwarded-For", "X-Forwarded-Proto", forwardedHost} {
		if r.Header.Get(field) != "" {
			caddyhttp.SetVar(r.Context(), caddyhttp.TrustedProxyVarKey, true)
		}
	}
}
