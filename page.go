// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"errors"
	"fmt"
	"net/url"
)

var errOtherHost = errors.New("the next page of the list is on another host")

// withQuery returns a path with one more query parameter.
func withQuery(path, name, text string) (string, error) {
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return "", fmt.Errorf("path of the list: %w", err)
	}
	query := u.Query()
	query.Set(name, text)
	u.RawQuery = query.Encode()
	return u.RequestURI(), nil
}

// sameAPI returns the path and query that a page's link leads to from a path.
// What the link says of the host is left out: it is the name that clients use,
// and the API is asked where `upstream` says. A link that leads out of HTTP is
// refused.
func sameAPI(path, link string) (string, error) {
	base, err := url.ParseRequestURI(path)
	if err != nil {
		return "", fmt.Errorf("path of the list: %w", err)
	}
	target, err := base.Parse(link)
	if err != nil {
		return "", fmt.Errorf("next page of the list: %w", err)
	}
	if target.Scheme != "" && target.Scheme != "http" && target.Scheme != "https" {
		return "", errOtherHost
	}
	return target.RequestURI(), nil
}
