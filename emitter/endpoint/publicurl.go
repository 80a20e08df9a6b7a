// SPDX-License-Identifier: Apache-2.0

package endpoint

import "net/url"

// PublicURL returns the part of a receiver's URL that may be shown: its scheme
// and host. The path is often a secret.
func PublicURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
