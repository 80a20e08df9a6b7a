// SPDX-License-Identifier: Apache-2.0

// Package syntax is what a configuration says of the dashboard.
package syntax

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Dashboard says who sees the dashboard, and where it may be shown.
type Dashboard struct {
	// Tenant is a placeholder for the tenant of who looks at the pages, such as
	// `{http.auth.user.id}`, which a handler before this one has filled. Required.
	Tenant string `json:"tenant,omitempty"`

	// Name is a placeholder for who that is, as the audit log and the pages tell. Default:
	// the tenant.
	Name string `json:"name,omitempty"`

	// FramedBy are the sites whose pages may show the dashboard in a frame, as
	// `https://portal.example.com`. Default: none may.
	FramedBy []string `json:"framed_by,omitempty"`
}

// Check reports what is impossible.
func (d *Dashboard) Check() error {
	if d.Tenant == "" {
		return errors.New("webhooks_dashboard: authorize is missing: say whose pages somebody sees, by what an authentication before it has found out, as `authorize {http.auth.user.id}`")
	}
	for _, text := range []string{d.Tenant, d.Name} {
		if text != "" && !isPlaceholder(text) {
			return fmt.Errorf("webhooks_dashboard: authorize takes placeholders, as `authorize {http.auth.user.id}`, not %q", text)
		}
	}
	for _, site := range d.FramedBy {
		u, err := url.Parse(site)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Contains(u.Host, "*") || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || strings.ContainsAny(site, "; ,'\"") {
			return fmt.Errorf("webhooks_dashboard: framed_by takes sites, as https://portal.example.com, not %q", site)
		}
	}
	return nil
}

// isPlaceholder reports whether a text is one placeholder of Caddy's.
func isPlaceholder(text string) bool {
	return len(text) > 2 && strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}") && strings.Count(text, "{") == 1
}
