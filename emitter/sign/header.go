// SPDX-License-Identifier: Apache-2.0

package sign

import (
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// reserved are headers that a delivery has anyway, or that the connection
// depends on.
var reserved = map[string]bool{
	"Connection": true, "Content-Digest": true, "Content-Encoding": true, "Content-Length": true, "Content-Type": true,
	"Expect": true, "Host": true, "Keep-Alive": true, "Proxy-Authorization": true, "Proxy-Connection": true,
	"Signature": true, "Signature-Input": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
	"User-Agent": true, "X-Idempotency-Key": true,
}

// CheckHeader tells why a header cannot be one of an operator's choice: it is
// no header's name, or a delivery needs it for something else. The error is
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
