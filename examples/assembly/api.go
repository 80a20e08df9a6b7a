// SPDX-License-Identifier: Apache-2.0

// Package assembly is an example of a payment API for marketplaces: users sell items to
// each other, banks move the money, and much of that happens inside, minutes or days
// after a request. It is the API of package legacyapi behind a key: a marketplace has an
// installation of its own, and all that is in it. It knows nothing of webhooks.
//
//	GET   /marketplace                       whose installation it is, for its keys
//	      /items, /users, /bank_accounts     made and changed
//	GET   /transactions, /batch_transactions what comes of payments
//	PATCH /items/{id}/make_payment           … /release_payment, /refund
package assembly

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/examples/legacyapi"
)

// The keys of the marketplace's own people and programs, and of the platform.
const (
	Key         = "market-key"
	PlatformKey = "platform-key"
)

// New returns an API in which nothing has happened yet. The options say when what
// happens inside does.
func New(o legacyapi.Options) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", legacyapi.New(o))
	mux.HandleFunc("GET /marketplace", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"marketplaces": map[string]string{"id": "market", "name": "The market"}})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if key != Key && key != PlatformKey {
			w.Header().Set("WWW-Authenticate", "Bearer")
			answer(w, http.StatusUnauthorized, map[string]any{"errors": map[string][]string{"key": {"is not valid"}}})
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may have gone
}
