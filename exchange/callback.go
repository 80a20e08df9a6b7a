// SPDX-License-Identifier: Apache-2.0

package exchange

import "go.uber.org/zap"

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

// callbackOf returns the receiver that the exchange's request names, sealed, or
// nil. A receiver that may not be sent to is refused here, before anything is
// stored. The exchange goes on all the same, and operators get a message.
func (w *Watcher) callbackOf(x *exchange) []byte {
	r := x.match.Rule.Resource
	if r.Callback == nil || w.opts.Seal == nil {
		return nil
	}
	named := Callback{URL: x.match.Text(&x.request, r.Callback.URL)}
	if named.URL == "" {
		return nil
	}
	if !r.Callback.Authorization.IsZero() {
		named.Authorization = x.match.Text(&x.request, r.Callback.Authorization)
	}
	sealed, err := w.opts.Seal(r.Name, named)
	if err != nil {
		w.opts.Metrics.CallbackRefused(r.Name)
		w.opts.Logger.Warn("a receiver that a request named is refused", zap.String("rule", x.match.Rule.Name), zap.Error(err))
		return nil
	}
	return sealed
}
