// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"errors"
	"net/url"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// destination returns the key of the object whose Show is at the Destination of a
// request (RFC 4918, section 10.3). The path of such a request names the source, and is
// never taken for it.
func (x *exchange) destination() (event.Key, error) {
	if values := x.request.HTTP.Header["Destination"]; len(values) == 1 {
		if target := x.ownPlace(values[0]); target != nil {
			// Nothing is told by the source: a file may be renamed to another case.
			if key, ok := x.match.Rule.Resource.KeyAt(target.EscapedPath(), nil); ok {
				return key, nil
			}
		}
	}
	return event.Key{}, errNoDestination
}

var errNoDestination = errors.New("the request's Destination is not the place of a Show of this API")

// ownPlace returns the target of a reference, nil if that is not a place of this API:
// RFC 9111, section 4.4 has the same guard for the invalidation of caches.
func (x *exchange) ownPlace(reference string) *url.URL {
	request := x.request.HTTP.URL
	target, err := request.Parse(reference)
	if err != nil {
		return nil
	}
	if target.Host != "" && !x.isOwn(target.Host) {
		return nil
	}
	return target
}
