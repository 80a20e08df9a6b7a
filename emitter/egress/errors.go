// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"errors"
	"fmt"
)

var (
	// ErrBadPolicy is returned for a policy that contradicts itself or is
	// impossible.
	ErrBadPolicy = errors.New("not an egress policy")
	// ErrBadURL is returned for a URL that nothing may be sent to, whatever
	// its name resolves to. The error never shows the URL's path or query.
	ErrBadURL = errors.New("not a usable URL")
	// ErrBlocked is returned for an address, host or scheme that the policy
	// does not permit. [errors.Is] finds it in a request's error. It never
	// shows the URL's path or query.
	ErrBlocked = errors.New("blocked by the egress policy")
	// ErrProxy is found by [errors.Is] in a request's error if the egress proxy
	// itself failed: no receiver is to blame.
	ErrProxy = errors.New("the egress proxy failed")
)

// ForSubscriber says in words why a URL cannot be used, for the subscriber who
// chose it. It says what is wrong with the spelling, but not what the policy
// blocks and why, which would reveal our network.
func ForSubscriber(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrBadURL) && !errors.Is(err, ErrBlocked):
		return err.Error()
	}
	return "the URL cannot be used: receivers must have a public address and HTTPS with a valid certificate"
}

// ProxyError says why a request did not get past the egress proxy. Its text
// names no receiver, and none of the proxy's credentials.
type ProxyError struct {
	// Reason says what happened.
	Reason string
	// Receiver is true if the proxy worked and could not reach the receiver:
	// such an error is not an [ErrProxy].
	Receiver bool
}

// Error returns the reason, and says that it is about the proxy.
func (e *ProxyError) Error() string {
	return "egress proxy: " + e.Reason
}

// Is reports whether the proxy itself failed.
func (e *ProxyError) Is(target error) bool {
	return target == ErrProxy && !e.Receiver
}

// BlockedError is an [ErrBlocked] with its reason. Errors of requests wrap it,
// so that its text can be separated from that of the standard library.
type BlockedError struct {
	// Reason says what is blocked and how the operator may permit it.
	Reason string
}

func blocked(format string, args ...any) error {
	return &BlockedError{Reason: fmt.Sprintf(format, args...)}
}

// Error returns the reason, and says that it is the policy's.
func (e *BlockedError) Error() string {
	return ErrBlocked.Error() + ": " + e.Reason
}

// Unwrap returns [ErrBlocked].
func (e *BlockedError) Unwrap() error {
	return ErrBlocked
}
