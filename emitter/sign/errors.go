// SPDX-License-Identifier: Apache-2.0

package sign

import "errors"

// ErrBadSecret is returned for a text that is no secret.
var ErrBadSecret = errors.New("not a secret")
