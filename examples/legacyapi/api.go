// SPDX-License-Identifier: Apache-2.0

// Package legacyapi is a demonstration API of the kind that caddy-webhooks is
// for: resources with ids, states that change by themselves, and no
// notifications. It keeps everything in memory and knows nothing of webhooks.
//
// Bodies are JSON objects under the resource's name:
//
//	POST /items {"items":{"name":"Bicycle","amount":12500}}
//
// A payment (PATCH /items/:id/make_payment) settles some seconds later, without
// a further request, like payments that wait for a bank. The seller is paid some
// seconds after that, to a bank account that may turn out to be none.
package legacyapi

import (
	"crypto/rand"
	"net/http"
	"sync"
	"time"
)

// DefaultSettleAfter is how long a payment takes to settle by default.
const DefaultSettleAfter = 3 * time.Second

// Options are an API's options. The zero value is useful.
type Options struct {
	// Now is the clock. Default: [time.Now].
	Now func() time.Time
	// SettleAfter is how long a payment takes to settle. Default:
	// [DefaultSettleAfter].
	SettleAfter time.Duration
	// NewID makes an id that was never used before. Default: random ids, so
	// that an API that is started again does not reuse old ones.
	NewID func() string
}

// api is the state of the whole service. Each request is one critical section.
type api struct {
	now         func() time.Time
	settleAfter time.Duration
	newID       func() string
	routes      *http.ServeMux

	mu           sync.Mutex
	items        *table[item]
	users        *table[user]
	bankAccounts *table[bankAccount]
	transactions *table[transaction]
	batches      *table[batchTransaction]
	jobs         []job
}

// New returns an empty API.
func New(options Options) http.Handler {
	a := &api{
		now:          options.Now,
		settleAfter:  options.SettleAfter,
		newID:        options.NewID,
		items:        newTable[item](),
		users:        newTable[user](),
		bankAccounts: newTable[bankAccount](),
		transactions: newTable[transaction](),
		batches:      newTable[batchTransaction](),
	}
	if a.now == nil {
		a.now = time.Now
	}
	if a.settleAfter <= 0 {
		a.settleAfter = DefaultSettleAfter
	}
	if a.newID == nil {
		a.newID = rand.Text
	}
	a.routes = a.newRoutes()
	return a
}

// ServeHTTP answers one request.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.routes.ServeHTTP(w, r)
}

func (a *api) newRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, actions := range map[string]methods{
		"/items":                         {"GET": a.listItems, "POST": a.createItem},
		"/items/{id}":                    {"GET": a.showItem, "PUT": a.updateItem, "PATCH": a.updateItem, "DELETE": a.deleteItem},
		"/items/{id}/make_payment":       {"PATCH": a.makePayment},
		"/items/{id}/release_payment":    {"PATCH": a.releasePayment},
		"/items/{id}/refund":             {"PATCH": a.refund},
		"/items/{id}/transactions":       {"GET": a.listItemTransactions},
		"/items/{id}/batch_transactions": {"GET": a.listItemBatchTransactions},
		"/users":                         {"GET": a.listUsers, "POST": a.createUser},
		"/users/{id}":                    {"GET": a.showUser, "PUT": a.updateUser, "PATCH": a.updateUser, "DELETE": a.deleteUser},
		"/bank_accounts":                 {"GET": a.listBankAccounts, "POST": a.createBankAccount},
		"/bank_accounts/{id}":            {"GET": a.showBankAccount, "DELETE": a.deactivateBankAccount},
		"/transactions":                  {"GET": a.listTransactions},
		"/transactions/{id}":             {"GET": a.showTransaction},
		"/batch_transactions":            {"GET": a.listBatchTransactions},
		"/batch_transactions/{id}":       {"GET": a.showBatchTransaction},
	} {
		mux.Handle(pattern, &endpoint{api: a, methods: actions})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		writeReply(w, errNotFound.reply())
	})
	return mux
}
