// SPDX-License-Identifier: Apache-2.0

package legacyapi

import "net/http"

// batchTransaction is the order to the bank to move a transaction's money.
type batchTransaction struct {
	record
	State       string    `json:"state"`
	Amount      int64     `json:"amount"`
	Transaction reference `json:"transaction"`
}

func (a *api) listBatchTransactions(r *http.Request, _ []byte) (reply, error) {
	return a.batches.list("batch_transactions", r, nil)
}

func (a *api) showBatchTransaction(r *http.Request, _ []byte) (reply, error) {
	found, err := a.batches.get(r.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	return show("batch_transactions", found)
}
