// SPDX-License-Identifier: Apache-2.0

package sign

import (
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// reserved are headers that every delivery has, or that the connection depends
// on.
var reserved = map[string]bool{
	"Connection": true, "Content-Digest": true, "Content-Encoding": true, "Content-Length": true, "Content-Type": true,
	"Expect": true, "Host": true, "Keep-Alive": true, "Proxy-Authorization": true, "Proxy-Connection": true,
	"Signature": true, "Signature-Input": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
	"User-Agent": true, "X-Idempotency-Key": true,
}

// CheckHeader returns why an operator cannot choose a header: its name is not a
// header name, or deliveries need it for something else. The error is
// [ErrBadScheme].
func CheckHeader(name string) error {
	canonical := http.CanonicalHeaderKey(name)
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		return fmt.Errorf("%w: %q is not a header's name", ErrBadScheme, name)
	case reserved[canonical], strings.HasPrefix(canonical, "Webhook-"), strings.HasPrefix(canonical, "Ce-"):
		return fmt.Errorf("%w: the header %s has a use of its own in a delivery; name another", ErrBadScheme, canonical)
	}
	return nil
}
