// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// fronts holds the names under which clients reach APIs, by handler: a new
// configuration goes on with what the old one has learned.
var fronts = caddy.NewUsagePool()

// provisionFronts takes what is known of the names under which clients reach the API.
func (h *Handler) provisionFronts() error {
	var declared struct {
		Upstream json.RawMessage `json:"upstream"`
	}
	if err := json.Unmarshal(h.declared, &declared); err != nil {
		return err
	}
	if err := h.checkHost(declared.Upstream); err != nil {
		return err
	}
	key := string(declared.Upstream)
	for _, r := range h.Resources {
		key += " " + r.Name
	}
	known, _, err := fronts.LoadOrNew(key, func() (caddy.Destructor, error) { return show.NewFronts(), nil })
	if err != nil {
		return err
	}
	h.frontsKey, h.upstream.Fronts = key, known.(*show.Fronts)
	return nil
}

// Cleanup releases what Provision has acquired. Caddy calls it also after a Provision
// that failed.
func (h *Handler) Cleanup() error {
	if h.frontsKey == "" {
		return nil
	}
	key := h.frontsKey
	h.frontsKey = ""
	_, err := fronts.Delete(key)
	return err
}

// site is the site that a handler stands in.
type site struct {
	hosts []string
	https bool
	// open is true if requests of any name reach the handler.
	open bool
}

// configureFronts tells each handler the name of its site. The routes are known only
// when all apps are provisioned.
func (a *App) configureFronts() {
	app, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return
	}
	sites := make(map[*Handler]site)
	for _, server := range app.(*caddyhttp.App).Servers {
		eachHandler(server.Routes, nil, func(h *Handler, hosts []string) {
			s := sites[h]
			sites[h] = site{
				hosts: append(s.hosts, hosts...), https: s.https || len(server.TLSConnPolicies) > 0, open: s.open || len(hosts) == 0,
			}
		})
	}
	for h, s := range sites {
		if h.upstream == nil || h.upstream.Fronts == nil {
			continue
		}
		h.upstream.Fronts.Configure(s.front(), !s.open)
		if wild := s.wildcard(); wild != "" {
			for _, r := range h.rules.Resources {
				if !r.TellsHosts() {
					a.log.Warn("the site has many names, and an object of the same id is the same under all of them; "+
						"if each name has objects of its own, declare it a part of their key, as `key :site header:Host` and `show … { header Host {site} }`",
						zap.String("site", wild), zap.String("resource", r.Name))
				}
			}
		}
	}
}

// front returns the name under which clients reach a site, zero if the configuration
// does not tell.
func (s site) front() show.Front {
	for _, host := range s.hosts {
		if !strings.HasPrefix(host, "*.") {
			front := show.Front{Host: host, Scheme: "http"}
			if s.https {
				front.Scheme = "https"
			}
			return front
		}
	}
	return show.Front{}
}

// wildcard returns the first name of a site that stands for many, "" for none.
func (s site) wildcard() string {
	for _, host := range s.hosts {
		if strings.HasPrefix(host, "*.") {
			return host
		}
	}
	return ""
}

// checkHost refuses a Host in `show` that never reaches the API. To an API behind TLS
// the proxy sends the name of its address, unless it is told otherwise.
func (h *Handler) checkHost(upstream json.RawMessage) error {
	why := hostLost(upstream)
	if why == "" {
		return nil
	}
	for _, r := range h.Resources {
		if r.Show == nil {
			continue
		}
		for field := range r.Show.Header {
			if strings.EqualFold(field, "Host") {
				return rules.PartError{Resource: r.Name, Part: "show", Err: fmt.Errorf("resource %s: show: header Host never reaches the API: %s", r.Name, why)}
			}
		}
	}
	return nil
}

// proxyOptions are the options of a reverse_proxy that decide which Host the API sees.
type proxyOptions struct {
	Transport struct {
		TLS json.RawMessage `json:"tls"`
	} `json:"transport"`
	Headers struct {
		Request struct {
			Set map[string][]string `json:"set"`
		} `json:"request"`
	} `json:"headers"`
}

// host returns the Host that the proxy sets, "" if it sets none.
func (p proxyOptions) host() string {
	for field, values := range p.Headers.Request.Set {
		if strings.EqualFold(field, "Host") {
			return strings.Join(values, "")
		}
	}
	return ""
}

// namedHosts returns the names that the configuration of a handler gives the API.
func namedHosts(declared []byte) []string {
	var handler struct {
		Upstream proxyOptions `json:"upstream"`
	}
	if json.Unmarshal(declared, &handler) != nil {
		return nil
	}
	host := caddy.NewReplacer().ReplaceKnown(handler.Upstream.host(), "")
	if host == "" || strings.Contains(host, "{") {
		return nil
	}
	return []string{host}
}

// hostLost returns why a proxy does not pass on the Host of a request, "" if it does.
func hostLost(declared json.RawMessage) string {
	var proxy proxyOptions
	if json.Unmarshal(declared, &proxy) != nil {
		return "" // it is no reverse_proxy
	}
	if text := proxy.host(); text != "" {
		if !strings.Contains(text, "{http.request.host") && text != "{host}" {
			return "`header_up Host " + text + "` of upstream replaces it; leave that out"
		}
		return ""
	}
	if proxy.Transport.TLS != nil {
		return "an API with TLS is asked under the name of its address; add `header_up Host {host}` to upstream"
	}
	return ""
}
