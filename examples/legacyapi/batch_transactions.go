// SPDX-License-Identifier: Apache-2.0

package legacyapi

import (
	"net/http"
	"time"
)

// batchTransaction is an order to a bank to move money: from the buyer of an item, or to
// a bank account of its seller.
type batchTransaction struct {
	record
	Type        string     `json:"type"`
	State       string     `json:"state"`
	Amount      int64      `json:"amount"`
	Item        reference  `json:"item"`
	Transaction *reference `json:"transaction"`
	BankAccount *reference `json:"bank_account"`
}

// order gives an order to a bank.
func (a *api) order(id string, b batchTransaction, now time.Time) {
	b.record, b.State = newRecord(id, now), statePending
	a.batches.put(id, b)
}

// setBatch changes the state of a batch transaction.
func (a *api) setBatch(id, state string, at time.Time) {
	batch := a.batches.rows[id]
	batch.State = state
	batch.touch(at)
	a.batches.put(id, batch)
}

func (a *api) listBatchTransactions(r *http.Request, _ []byte) (reply, error) {
	return a.batches.list("batch_transactions", r, nil)
}

func (a *api) listItemBatchTransactions(r *http.Request, _ []byte) (reply, error) {
	it, err := a.items.get(r.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	return a.batches.list("batch_transactions", r, func(b batchTransaction) bool { return b.Item.ID == it.ID })
}

func (a *api) showBatchTransaction(r *http.Request, _ []byte) (reply, error) {
	found, err := a.batches.get(r.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	return show("batch_transactions", found)
}
