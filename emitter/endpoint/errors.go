// SPDX-License-Identifier: Apache-2.0

package endpoint

import "errors"

// ErrBadEndpoint is returned for an endpoint that cannot receive deliveries as it
// is configured.
var ErrBadEndpoint = errors.New("not a usable endpoint")
