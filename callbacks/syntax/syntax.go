// SPDX-License-Identifier: Apache-2.0

// Package syntax is what a configuration says about subscribers: what they may have,
// and how it is found out who asks.
package syntax

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
	"github.com/caddy-webhooks/caddy-webhooks/internal/jsonpath"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// Subscribers says what subscribers may have who manage their own endpoints.
type Subscribers struct {
	// Limit is how many endpoints a tenant may have. Default: 100.
	Limit int `json:"limit,omitempty"`

	// OnePerType lets one endpoint of a tenant get each type of event, of those that
	// are not paused.
	OnePerType bool `json:"one_per_type,omitempty"`

	// NoVerify makes and changes endpoints without a test of their receivers. Default:
	// a receiver must answer a test with success when its endpoint is made, and when its
	// URL changes.
	NoVerify bool `json:"no_verify,omitempty"`

	// Require are the members that each endpoint must have: `label`, `url`, `events`.
	// Default: none.
	Require []string `json:"require,omitempty"`

	// Types say more about the types of events than their rules do. Default: nothing;
	// a schema is learned from the Shows that are seen.
	Types []*Type `json:"types,omitempty"`
}

// Check reports what is impossible.
func (s *Subscribers) Check() error {
	if s == nil {
		return nil
	}
	if s.Limit < 0 {
		return fmt.Errorf("subscribers: limit %d is no number of endpoints", s.Limit)
	}
	for i, name := range s.Require {
		switch {
		case !slices.Contains(callbacks.Requirable(), name):
			return fmt.Errorf("subscribers: require takes %s, not %q", strings.Join(callbacks.Requirable(), ", "), name)
		case slices.Contains(s.Require[:i], name):
			return fmt.Errorf("subscribers: require %s stands twice; keep one of them", name)
		}
	}
	return checkTypes(s.Types)
}

// Policy returns which endpoints a tenant may have beside each other.
func (s *Subscribers) Policy() subscribers.Policy {
	if s == nil {
		return subscribers.Policy{}
	}
	return subscribers.Policy{Limit: s.Limit, OnePerType: s.OnePerType}
}

// Authorize is one way to find out who asks. One of Key, Tenant alone, and Method with
// Path and either Tenant or Shared is given.
type Authorize struct {
	// Key takes the API keys that this module has made.
	Key bool `json:"key,omitempty"`

	// Tenant is a placeholder for the caller's tenant, such as `{http.auth.user.id}`,
	// which a handler before this one has filled. If Method and Path are given, it is the
	// path of the tenant in the API's answer.
	Tenant string `json:"tenant,omitempty"`

	// Method and Path are a request to the API, which is sent with the caller's own
	// `Authorization` and `Cookie`. Only GET is possible.
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`

	// Shared makes all whom the API answers with success one tenant, who may have the
	// events of all objects. It is for an API whose Shows do not say whose they are: no
	// resource may have a `tenant` beside it. In place of Tenant.
	Shared bool `json:"shared,omitempty"`
}

// Asks reports whether the API is asked.
func (a *Authorize) Asks() bool { return a.Method != "" || a.Path != "" }

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
	case !a.Shared && (a.Tenant == "" || jsonpath.HasModifier(a.Tenant)):
		return fmt.Errorf("authorize %s %s: say where the tenant stands in the answer, as `tenant brand.id`, or `shared` if all callers are one", a.Method, a.Path)
	}
	if u, err := url.ParseRequestURI(a.Path); err != nil || !strings.HasPrefix(a.Path, "/") || strings.HasPrefix(a.Path, "//") || u.Fragment != "" || strings.ContainsAny(a.Path, "#{} ") {
		return fmt.Errorf("authorize %s %s: write the path of a request, as /me", a.Method, a.Path)
	}
	if strings.Contains(a.Path, "/:") {
		return fmt.Errorf("authorize %s %s: no path names a tenant here, so none can be asked about; ask who the caller is, as `authorize GET /me tenant id`", a.Method, a.Path)
	}
	return nil
}

// Required returns the members that each endpoint must have.
func (s *Subscribers) Required() []string {
	if s == nil {
		return nil
	}
	return s.Require
}

// Unverified reports whether receivers are not tested.
func (s *Subscribers) Unverified() bool { return s != nil && s.NoVerify }
