// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/oauth2"
)

// TokenError says why there is no token. Its text is composed of known facts,
// and quotes neither the server's answer nor the token URL.
type TokenError struct {
	// Reason says what is wrong with the answer. It is empty if there was no
	// answer; then the cause is wrapped.
	Reason string
	cause  error
}

// Error returns the reason, and says that it is about the token.
func (e *TokenError) Error() string {
	if e.Reason == "" {
		return "OAuth 2.0: no token could be asked for"
	}
	return "OAuth 2.0: " + e.Reason
}

// Unwrap returns why no answer came. Its text must not be shown.
func (e *TokenError) Unwrap() error { return e.cause }

// newTokenError takes the presentable parts of a library's error: its own text
// quotes the URL, or the whole answer.
func newTokenError(ctx context.Context, err error) error {
	var refused *oauth2.RetrieveError
	switch {
	case ctx.Err() != nil:
		return &TokenError{cause: ctx.Err()}
	case errors.As(err, &refused):
		code := 0
		if refused.Response != nil {
			code = refused.Response.StatusCode
		}
		reason := fmt.Sprintf("the token endpoint answered %d", code)
		if name := http.StatusText(code); name != "" {
			reason += " " + name
		}
		if isErrorCode(refused.ErrorCode) {
			reason += " (" + refused.ErrorCode + ")"
		}
		return &TokenError{Reason: reason}
	case strings.HasPrefix(err.Error(), "oauth2: cannot parse"), strings.Contains(err.Error(), "missing access_token"):
		return &TokenError{Reason: "the answer has no usable token"}
	default:
		return &TokenError{cause: err}
	}
}

// isErrorCode reports whether a text is an error code of RFC 6749, section 5.2,
// or has the form of one. Any other text may be something that a server was
// made to say.
func isErrorCode(text string) bool {
	return text != "" && len(text) <= 40 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz_") == ""
}
