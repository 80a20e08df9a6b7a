// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"context"
	"net/http"
	"net/url"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// maxRedirects limits how many redirects of a Show are followed.
const maxRedirects = 5

// follow follows the redirects of a Show, and returns the answer at their end. It is
// read from the same API whatever host they name, as that is the name that clients
// use. Where they lead to nothing that can be taken for a Show, it returns the first
// redirect: a page to log in must not be taken for an object, nor a page that is not
// there for its delete.
func (r *Resource) follow(ctx context.Context, upstream *show.Upstream, request show.Request, answer show.Show) (show.Show, error) {
	first, fixed := answer, true
	asked := request.Path
	if request.Method != http.MethodGet {
		return first, nil
	}
	for range maxRedirects {
		fixed = fixed && (answer.Status == http.StatusMovedPermanently || answer.Status == http.StatusPermanentRedirect)
		path, err := sameAPI(request.Path, answer.Header.Get("Location"))
		if err != nil || answer.Header.Get("Location") == "" || path == request.Path {
			return first, nil //nolint:nilerr // a link that cannot be read leads nowhere
		}
		request.Path = path
		if answer, err = upstream.Read(ctx, request); err != nil {
			return show.Show{}, err
		}
		if !isRedirect(answer.Status) {
			break
		}
	}
	u, err := url.ParseRequestURI(request.Path)
	if err != nil || isRedirect(answer.Status) {
		return first, nil //nolint:nilerr // the same
	}
	found := answer.Status >= 200 && answer.Status <= 299
	named, isShow := r.KeyAt(u.EscapedPath(), nil)
	same := false
	if was, err := url.ParseRequestURI(asked); err == nil && isShow {
		own, ok := r.KeyAt(was.EscapedPath(), nil)
		same = ok && own == named
	}
	if !found && !same {
		if isShow && (answer.Status == http.StatusNotFound || answer.Status == http.StatusGone) {
			// The name leads to an object that is gone, so there is none under it.
			return answer, nil
		}
		return first, nil
	}
	if found && !isShow {
		// The answer may name the object, but it is never sent: whoever can have an
		// object lead elsewhere could read anything with the operator's credential.
		if _, said := r.Own(event.Key{Resource: r.Name, ID: "-"}, answer.Document()); !said || !fixed || len(r.Show.Names) > 1 {
			return first, nil
		}
	}
	answer.Redirect = show.Redirect{Path: u.EscapedPath(), Permanent: fixed, Elsewhere: !isShow}
	return answer, nil
}

// isRedirect reports whether a status sends a reader elsewhere.
func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// Moved returns the key of the object to whose Show a Show was redirected. It reports
// false if that is the object itself.
func (r *Resource) Moved(key event.Key, answer show.Show) (event.Key, bool) {
	if answer.Redirect.Path == "" {
		return key, false
	}
	name, ok := r.KeyAt(answer.Redirect.Path, nil)
	if !ok {
		name, ok = r.Own(key, answer.Document())
	}
	return name, ok && name != key
}
