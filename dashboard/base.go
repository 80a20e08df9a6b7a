// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

type baseKey struct{}

// Base returns the path below which a browser finds the dashboard, without a slash at its
// end: links and redirects begin with it. It is "" for the root of a site.
func Base(r *http.Request) string {
	base, _ := r.Context().Value(baseKey{}).(string)
	return base
}

// based returns a request that knows its base.
func based(r *http.Request, base string) *http.Request {
	escaped := (&url.URL{Path: strings.TrimRight(base, "/")}).EscapedPath()
	return r.WithContext(context.WithValue(r.Context(), baseKey{}, escaped))
}

// IsBack reports whether a text is a path below the dashboard to which a person may be
// sent back. A browser takes //host and /\host for other sites.
func IsBack(path string) bool {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsFunc(path, func(r rune) bool { return r == '\\' || r < ' ' || r == 0x7f }) {
		return false
	}
	parsed, err := url.Parse(path)
	return err == nil && parsed.Scheme == "" && parsed.Host == "" && parsed.User == nil
}

// redirect sends a person to another page of the dashboard, which is got by GET. A request
// of htmx would follow it by itself and show that page within this one.
func redirect(w http.ResponseWriter, r *http.Request, path string) {
	to := Base(r) + path
	if r.Header.Get("HX-Request") == "true" {
		w.Header().Set("HX-Redirect", to)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}
