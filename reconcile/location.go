// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// maxPlace limits how much of a place is told, in bytes.
const maxPlace = 200

// leadsTo says for people where a redirect leads, to follow the words about its status:
// it is what tells a login from an object that has moved. It is "" for any other answer.
func leadsTo(answer show.Show) string {
	if answer.Status < 300 || answer.Status > 399 {
		return ""
	}
	location := answer.Header.Get("Location")
	if location == "" {
		return " and no Location"
	}
	return " and Location " + spot(location)
}

// foundAt says for people where an answer was found that redirects led to, to follow the
// words about it; "" if none did.
func foundAt(answer show.Show) string {
	if answer.Redirect.Path == "" {
		return ""
	}
	return ", after a redirect to " + spot(answer.Redirect.Path)
}

// spot returns the scheme, the host and the path of a URL, quoted: the API chose it, and
// it may have a line break or a megabyte. User, query, fragment and the parameters of
// the path may hold a session, and are not told.
func spot(location string) string {
	u, err := url.Parse(strings.TrimSpace(location))
	switch {
	case err != nil:
		return "that is no URL"
	case u.Opaque != "":
		return strconv.QuoteToASCII(cut(u.Scheme) + ":")
	}
	path, _, _ := strings.Cut(u.EscapedPath(), ";")
	told := path
	if u.Host != "" {
		told = "//" + u.Host + path
	}
	if u.Scheme != "" {
		told = u.Scheme + ":" + told
	}
	return strconv.QuoteToASCII(cut(told))
}

// cut limits a text.
func cut(text string) string {
	if len(text) <= maxPlace {
		return text
	}
	return text[:maxPlace] + "…"
}
