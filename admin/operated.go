// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// Operators work on what a tenant has by the API that the tenant itself uses: the rules are
// the same, and the audit names the operator. These are the paths that lead there:
//
//	/webhooks/tenants/TENANT/…   the whole API of a tenant
//	/webhooks/shared/…           that of the endpoints that all callers share
//	/webhooks/endpoints/NAME/…   what concerns one endpoint, whosever it is

// operatedPaths are the paths below an endpoint, with those of the tenants' API that they
// stand for.
var operatedPaths = map[string]string{
	"GET /webhooks/endpoints/{name}":                     "",
	"PATCH /webhooks/endpoints/{name}":                   "",
	"DELETE /webhooks/endpoints/{name}":                  "",
	"POST /webhooks/endpoints/{name}/enable":             "/resume",
	"POST /webhooks/endpoints/{name}/disable":            "/pause",
	"POST /webhooks/endpoints/{name}/secrets":            "/secrets",
	"DELETE /webhooks/endpoints/{name}/secrets/{secret}": "/secrets/{secret}",
	"POST /webhooks/endpoints/{name}/test":               "/test",
	"GET /webhooks/endpoints/{name}/snapshot":            "/snapshot",
	"POST /webhooks/endpoints/{name}/snapshot":           "/snapshot",
	"DELETE /webhooks/endpoints/{name}/snapshot":         "/snapshot",
}

// These are the paths of a tenant as a whole.
const (
	tenantPath = "/webhooks/tenants/{tenant}/{path...}"
	sharedPath = "/webhooks/shared/{path...}"
)

// operated returns the handlers of what operators do by the tenants' API.
func (s *Server) operated() map[string]handler {
	routes := map[string]handler{tenantPath: s.ofTenant, sharedPath: s.ofTenant}
	for pattern, path := range operatedPaths {
		routes[pattern] = func(w http.ResponseWriter, r *http.Request) error {
			return s.ofEndpoint(w, r, strings.Replace(path, "{secret}", url.PathEscape(r.PathValue("secret")), 1))
		}
	}
	return routes
}

// ofTenant has the tenants' API answer.
func (s *Server) ofTenant(w http.ResponseWriter, r *http.Request) error {
	rest, tenant := strings.TrimPrefix(r.URL.EscapedPath(), "/webhooks/shared"), ""
	if r.Pattern == tenantPath {
		tenant = r.PathValue("tenant")
		if len(tenant) > queue.MaxRecordOwner || strings.ContainsFunc(tenant, unicode.IsControl) {
			return refuse(http.StatusBadRequest, "%q cannot name a tenant: it has control characters, or more than %d bytes", tenant, queue.MaxRecordOwner)
		}
		_, rest, _ = strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/webhooks/tenants/"), "/")
		rest = "/" + rest
	}
	return s.ask(w, r, tenant, rest)
}

// ofEndpoint has the tenants' API answer about an endpoint, whosever it is.
func (s *Server) ofEndpoint(w http.ResponseWriter, r *http.Request, path string) error {
	store, err := s.store()
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	kept, err := store.Record(r.Context(), queue.KindEndpoint, name)
	if err != nil && !errors.Is(err, queue.ErrNotFound) {
		return err
	}
	if err == nil {
		return s.ask(w, r, kept.Owner, "/endpoints/"+url.PathEscape(name)+path)
	}
	declared, found := s.Pipeline.Endpoints().Get(name)
	switch {
	case subscribers.IsID(name) || !found && !s.stands(name):
		return s.unknown(name)
	case found && path == "/test":
		return s.ask(w, r, declared.Tenant, "/endpoints/"+url.PathEscape(name)+path)
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return s.showDeclared(w, r, name)
	}
	return refuse(http.StatusConflict, "endpoint %s stands in the configuration, as `endpoint %s` in the global block `webhooks` (in JSON, below apps.webhooks.endpoints); "+
		"change it there, and reload; to hold it for a while, there are caddy webhooks pause and resume", name, name)
}

// showDeclared answers how an endpoint stands that the configuration has.
func (s *Server) showDeclared(w http.ResponseWriter, r *http.Request, name string) error {
	working, err := s.emitter()
	if err != nil {
		return err
	}
	standing, stands := working.Standing(name)
	if !stands {
		return s.unknown(name)
	}
	stats, err := s.stats(r)
	if err != nil {
		return err
	}
	view := s.endpointView(name, standing)
	view.Pending = stats.PendingDeliveries[name]
	return writeJSON(w, http.StatusOK, view)
}

// stands reports whether an endpoint is delivered to, as one whose receivers requests name.
func (s *Server) stands(name string) bool {
	working := s.Pipeline.Emitter()
	if working == nil {
		return false
	}
	_, stands := working.Standing(name)
	return stands
}

// ask has the tenants' API answer a request of the operator, at a path of that API.
func (s *Server) ask(w http.ResponseWriter, r *http.Request, tenant, path string) error {
	if s.Tenant == nil {
		return refuse(http.StatusNotFound, "tenants have no API here")
	}
	sent := r.Clone(r.Context())
	plain, err := url.PathUnescape(path)
	if err != nil {
		return refuse(http.StatusBadRequest, "the path cannot be read")
	}
	sent.URL.Path, sent.URL.RawPath = plain, path
	s.Tenant(tenant).ServeHTTP(w, sent)
	return nil
}
