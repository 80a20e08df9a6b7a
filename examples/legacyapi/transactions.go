// SPDX-License-Identifier: Apache-2.0

package legacyapi

import "net/http"

// States of transactions and batch transactions.
const (
	statePending    = "pending"
	stateSuccessful = "successful"
)

// transaction is money that moves for an item. Only payments create
// transactions.
type transaction struct {
	record
	State  string    `json:"state"`
	Amount int64     `json:"amount"`
	Item   reference `json:"item"`
	Batch  reference `json:"batch_transaction"`
}

func (a *api) listTransactions(r *http.Request, _ []byte) (reply, error) {
	return a.transactions.list("transactions", r, nil)
}

func (a *api) showTransaction(r *http.Request, _ []byte) (reply, error) {
	found, err := a.transactions.get(r.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	return show("transactions", found)
}

func (a *api) listItemTransactions(r *http.Request, _ []byte) (reply, error) {
	it, err := a.items.get(r.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	return a.transactions.list("transactions", r, func(t transaction) bool { return t.Item.ID == it.ID })
}
