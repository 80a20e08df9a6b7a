// SPDX-License-Identifier: Apache-2.0

// Package syntax is what a configuration says of the dashboard.
package syntax

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
)

// Dashboard says who sees the dashboard, and where it may be shown.
type Dashboard struct {
	// Tenant is a placeholder for the tenant of who looks at the pages, such as
	// `{http.auth.user.id}`, which a handler before this one has filled. It is required,
	// unless there are accounts.
	Tenant string `json:"tenant,omitempty"`

	// Name is a placeholder for who that is, as the audit log and the pages tell. Default:
	// the tenant.
	Name string `json:"name,omitempty"`

	// Operators says who is an operator, and sees how the service fares and what all
	// tenants have. With accounts, they are made by `caddy webhooks users add NAME
	// --operator` instead. Default: nobody is.
	Operators *Operators `json:"operators,omitempty"`

	// Accounts has the dashboard know its users itself, whom `caddy webhooks users add`
	// makes: by a password and a second factor, or a passkey. The pages need HTTPS then.
	// Default: a handler before this one knows them.
	Accounts *Accounts `json:"accounts,omitempty"`

	// FramedBy are the sites whose pages may show the dashboard in a frame, as
	// `https://portal.example.com`. Default: none may.
	FramedBy []string `json:"framed_by,omitempty"`
}

// Accounts says how the dashboard knows its users.
type Accounts struct {
	// Name is what authenticator apps and browsers call an account here. Default:
	// `Webhooks`.
	Name string `json:"name,omitempty"`
}

// maxAccountsName limits the name of accounts, in bytes: apps show little more.
const maxAccountsName = 64

// check reports a name that apps could not show.
func (a *Accounts) check() error {
	if len(a.Name) > maxAccountsName || strings.ContainsFunc(a.Name, func(r rune) bool { return r == ':' || !unicode.IsPrint(r) }) {
		return fmt.Errorf("webhooks_dashboard: accounts takes a name of at most %d bytes without a colon, as `accounts \"Acme Webhooks\"`, not %q", maxAccountsName, a.Name)
	}
	return nil
}

// Check reports what is impossible.
func (d *Dashboard) Check() error {
	if err := d.Operators.check(); err != nil {
		return err
	}
	if d.Accounts != nil {
		if d.Operators != nil {
			return errors.New("webhooks_dashboard: operators and accounts do not go together: with accounts, `caddy webhooks users add NAME --operator` makes an operator")
		}
		if d.Tenant != "" || d.Name != "" {
			return errors.New("webhooks_dashboard: authorize and accounts do not go together: either an authentication before it says whose pages somebody sees, or its own users do")
		}
		if err := d.Accounts.check(); err != nil {
			return err
		}
	} else if d.Tenant == "" {
		return errors.New("webhooks_dashboard: authorize is missing: say whose pages somebody sees, by what an authentication before it has found out, as `authorize {http.auth.user.id}`, or have the dashboard know its users itself, with `accounts`")
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
