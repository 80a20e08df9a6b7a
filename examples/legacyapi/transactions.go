// SPDX-License-Identifier: Apache-2.0

package legacyapi

import (
	"net/http"
	"time"
)

// States of transactions and batch transactions.
const (
	statePending    = "pending"
	stateSuccessful = "successful"
	stateFailed     = "failed"
)

// Types of transactions and batch transactions.
const (
	typePayment      = "payment"
	typeRefund       = "refund"
	typeDisbursement = "disbursement"
)

// transaction is money that moves for an item.
type transaction struct {
	record
	Type   string    `json:"type"`
	State  string    `json:"state"`
	Amount int64     `json:"amount"`
	Item   reference `json:"item"`
	// Batch is null if no bank moves it.
	Batch *reference `json:"batch_transaction"`
}

// move makes a transaction for an item.
func (a *api) move(id string, it item, t transaction, now time.Time) {
	t.record, t.Item, t.Amount = newRecord(id, now), reference{it.ID}, it.Amount
	a.transactions.put(id, t)
}

// setTransaction changes the state of a transaction.
func (a *api) setTransaction(id, state string, at time.Time) {
	moved := a.transactions.rows[id]
	moved.State = state
	moved.touch(at)
	a.transactions.put(id, moved)
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
