// SPDX-License-Identifier: Apache-2.0

package syntax

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
	"github.com/caddy-webhooks/caddy-webhooks/callbacks/shape"
	"github.com/caddy-webhooks/caddy-webhooks/internal/jsonpath"
)

// Authorize is one way to find out who asks. One of Key, Tenant alone, and Method with
// Path is given.
type Authorize struct {
	// Key takes the API keys that this module has made.
	Key bool `json:"key,omitempty"`

	// Tenant is a placeholder for the caller's tenant, such as `{http.auth.user.id}`,
	// which a handler before this one has filled. If Method and Path are given, it is the
	// path of the tenant in the API's answer.
	Tenant string `json:"tenant,omitempty"`

	// Method and Path are a request to the API, which is sent with the caller's own
	// `Authorization` and `Cookie`. Only GET is possible. Segments of Path may be names of
	// the routes' paths, as `/partners/:tenant`: then, without Tenant and Shared, an answer
	// of success says that the tenant in the path is the caller's.
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`

	// Shared makes all whom the API answers with success one tenant, who may have the
	// events of all objects. It is for an API whose Shows do not say whose they are: no
	// resource may have a `tenant` beside it. In place of Tenant.
	Shared bool `json:"shared,omitempty"`
}

// Asks reports whether the API is asked.
func (a *Authorize) Asks() bool { return a.Method != "" || a.Path != "" }

// Security says in the description of the API how callers are known.
func (a *Authorize) Security() catalogue.SecurityScheme {
	switch {
	case a.Key:
		return catalogue.SecurityScheme{Name: "key", Scheme: "bearer", Text: "An API key, whk_…"}
	case a.Asks():
		return catalogue.SecurityScheme{Name: "api", Header: "Authorization", Text: "The credential that the API itself takes; a Cookie is one, too."}
	}
	return catalogue.SecurityScheme{Name: "site", Header: "Authorization", Text: "What the site asks for."}
}

// Check reports what is impossible.
func (a *Authorize) Check() error {
	switch {
	case a.Key && (a.Tenant != "" || a.Asks() || a.Shared):
		return errors.New("authorize key takes nothing else")
	case a.Key:
		return nil
	case !a.Asks() && (!strings.HasPrefix(a.Tenant, "{") || !strings.HasSuffix(a.Tenant, "}") || strings.Count(a.Tenant, "{") != 1):
		return fmt.Errorf("authorize takes key, a placeholder as {http.auth.user.id}, `GET PATH tenant PATH`, or `GET PATH shared`, not %q", a.Tenant)
	case !a.Asks() && a.Shared:
		return errors.New("authorize: shared takes a request to the API, as `authorize GET /me shared`")
	case !a.Asks():
		return nil
	case a.Shared && a.Tenant != "":
		return fmt.Errorf("authorize %s %s: callers share one tenant, or the answer names it; keep one of `shared` and `tenant`", a.Method, a.Path)
	case a.Method != http.MethodGet:
		return fmt.Errorf("authorize asks with GET, not with %q", a.Method)
	case jsonpath.HasModifier(a.Tenant), !a.Shared && a.Tenant == "" && !slices.Contains(a.names(), shape.NameTenant):
		return fmt.Errorf("authorize %s %s: say where the tenant stands in the answer, as `tenant brand.id`, or `shared` if all callers are one", a.Method, a.Path)
	}
	if u, err := url.ParseRequestURI(a.Path); err != nil || !strings.HasPrefix(a.Path, "/") || strings.HasPrefix(a.Path, "//") || u.Fragment != "" || strings.ContainsAny(a.Path, "#{} ") {
		return fmt.Errorf("authorize %s %s: write the path of a request, as /me", a.Method, a.Path)
	}
	if strings.Contains(a.Path, "/:") {
		path, _, _ := strings.Cut(a.Path, "?")
		if _, err := shape.ParsePath(path); err != nil {
			return fmt.Errorf("authorize %s: %w", a.Method, err)
		}
	}
	return nil
}

// names returns the names of routes' paths that the path has.
func (a *Authorize) names() []string {
	text, _, _ := strings.Cut(a.Path, "?")
	if path, err := shape.ParsePath(text); err == nil && strings.Contains(text, "/:") {
		return path.Names()
	}
	return nil
}

// checkNames reports a name that the path of a route does not have, and a tenant that no
// caller has.
func (a *Authorize) checkNames(route *shape.Route, names []string) error {
	for _, name := range a.names() {
		if !slices.Contains(names, name) {
			return fmt.Errorf("authorize %s %s: the path of `%s` has no :%s; use a name that it has, or give the route an authorize of its own", a.Method, a.Path, route, name)
		}
	}
	if a.Shared && slices.Contains(names, shape.NameTenant) && route.Object == "" {
		return fmt.Errorf("authorize %s %s: callers share one tenant, so `%s` is nobody's; leave :tenant out, or `shared`", a.Method, a.Path, route)
	}
	return nil
}
