// SPDX-License-Identifier: Apache-2.0

package dashboard

import "net/http"

// themeCookie keeps light or dark, for a year. It says nothing of who it is.
const themeCookie = "webhooks-theme"

// themeOf returns the theme that somebody has chosen, "" for the system's.
func themeOf(r *http.Request) string {
	cookie, err := r.Cookie(themeCookie)
	if err != nil || cookie.Value != "light" && cookie.Value != "dark" {
		return ""
	}
	return cookie.Value
}

// keepTheme keeps a theme, and goes back to the page.
func (s *Server) keepTheme(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, nil, errUnread)
		return
	}
	cookie := &http.Cookie{ //nolint:gosec // it is no secret, and as secure as the connection
		Name: themeCookie, Value: r.PostForm.Get("theme"), Path: Base(r) + "/", MaxAge: 365 * 24 * 3600,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil,
	}
	if cookie.Value != "light" && cookie.Value != "dark" {
		cookie.Value, cookie.MaxAge = "", -1
	}
	http.SetCookie(w, cookie)
	back := r.PostForm.Get("back")
	if !IsBack(back) {
		back = "/"
	}
	redirect(w, r, back)
}
