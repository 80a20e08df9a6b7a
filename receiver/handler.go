// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"errors"
	"io"
	"net/http"
)

// ServeHTTP answers a delivery with 204 once its event is handled, or was before. Any other
// answer has the sender send it again.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "webhooks are sent by POST", http.StatusMethodNotAllowed)
		return
	}
	ctx := request.Context()
	if _, err := r.verifier.check(request.Header); err != nil {
		r.options.Notice(ctx, Notice{Kind: Refused, Err: err})
		answer(w, err)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, r.options.MaxBody))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			http.Error(w, "the payload is too large", http.StatusRequestEntityTooLarge)
			return
		}
		http.Error(w, "the payload cannot be read", http.StatusBadRequest)
		return
	}
	if err := r.Receive(ctx, request.Header, body); err != nil {
		answer(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// answer answers a delivery that was not handled. The handler's own error stays here: who
// asks may be anybody who knows the secret.
func answer(w http.ResponseWriter, err error) {
	for _, refused := range []error{ErrHeaders, ErrTime, ErrSignature, ErrClaims} {
		if errors.Is(err, refused) {
			http.Error(w, refused.Error(), http.StatusUnauthorized)
			return
		}
	}
	for _, wait := range []error{ErrBusy, ErrFeed} {
		if errors.Is(err, wait) {
			w.Header().Set("Retry-After", "5")
			http.Error(w, wait.Error(), http.StatusServiceUnavailable)
			return
		}
	}
	http.Error(w, "the webhook could not be handled", http.StatusInternalServerError)
}
