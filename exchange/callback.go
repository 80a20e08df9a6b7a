// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"strings"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Callback is a receiver that a request named for the object it is about. It
// is stored sealed: both of its parts are secrets of the client that named it.
type Callback struct {
	// URL is the receiver's URL.
	URL string `json:"url"`
	// Authorization is the value of the Authorization header, "" for none.
	Authorization string `json:"authorization,omitempty"`
}

// Limits of a Callback, in bytes.
const (
	MaxCallbackURL           = 2048
	MaxCallbackAuthorization = 4096
)

// namedBy returns the receiver that a request names, zero for none. It reads the
// request, so it must be called before the request is forwarded.
func (x *exchange) namedBy() (named Callback) {
	r := x.match.Rule.Resource
	if r.Callback == nil || x.watcher.opts.Seal == nil {
		return named
	}
	// A fragment is never sent, so it is no part of where a receiver is.
	named.URL, _, _ = strings.Cut(x.match.Text(&x.request, r.Callback.URL), "#")
	if named.URL != "" && !r.Callback.Authorization.IsZero() {
		named.Authorization = x.match.Text(&x.request, r.Callback.Authorization)
	}
	return named
}

// callback returns the sealed receiver that the request names for an object with
// the given hints, or nil. Only who made the object may name its receiver, and only
// the API's confirmation proves that: anybody can send a request that the API
// refuses, or break one off, and would be sent what the API does not show him.
//
// A receiver that may not be sent to is refused here, before anything is stored. The
// exchange goes on all the same, and operators get a message.
func (x *exchange) callback(hints queue.Hints) []byte {
	if x.named.URL == "" || !hints.Has(queue.HintCreated) {
		return nil
	}
	w, rule := x.watcher, x.match.Rule
	sealed, err := w.opts.Seal(rule.Resource.Name, x.named)
	if err != nil {
		w.opts.Metrics.CallbackRefused(rule.Resource.Name)
		w.opts.Logger.Warn("a receiver that a request named is refused", zap.String("rule", rule.Name), zap.Error(err))
		return nil
	}
	return sealed
}
