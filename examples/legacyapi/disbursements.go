// SPDX-License-Identifier: Apache-2.0

package legacyapi

import (
	"strings"
	"time"
)

// disburse pays the seller of a completed item, to the first bank account that is
// enabled. Without one, the money stays here.
func (a *api) disburse(it item, at time.Time) {
	if it.Seller == nil {
		return
	}
	for _, id := range a.bankAccounts.order {
		account := a.bankAccounts.rows[id]
		if account.Enabled && account.User.ID == it.Seller.ID {
			batch := a.newID()
			a.order(batch, batchTransaction{Type: typeDisbursement, Amount: it.Amount, Item: reference{it.ID}, BankAccount: &reference{id}}, at)
			a.later(at, func(due time.Time) { a.payOut(batch, id, due) })
			return
		}
	}
}

// payOut ends a disbursement. No bank knows an account whose number ends with 000.
func (a *api) payOut(batchID, accountID string, at time.Time) {
	account := a.bankAccounts.rows[accountID]
	if !strings.HasSuffix(account.Number, "000") {
		a.setBatch(batchID, stateSuccessful, at)
		return
	}
	a.setBatch(batchID, stateFailed, at)
	account.State, account.Enabled = accountInvalid, false
	account.touch(at)
	a.bankAccounts.put(accountID, account)
}
