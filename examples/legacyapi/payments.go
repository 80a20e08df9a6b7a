// SPDX-License-Identifier: Apache-2.0

package legacyapi

import (
	"net/http"
	"time"
)

// payment is a payment that has not settled yet.
type payment struct {
	due                      time.Time
	item, transaction, batch string
}

// makePayment starts the payment of an item. Its transaction and its batch
// transaction are not part of the answer: a client finds them among the item's
// transactions.
func (a *api) makePayment(r *http.Request, _ []byte) (reply, error) {
	it, err := a.items.get(r.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	if it.State != itemPending {
		return reply{}, invalid("state", "is %q: only a %q item can be paid", it.State, itemPending)
	}
	now := a.now()
	transactionID, batchID := a.newID(), a.newID()
	a.transactions.put(transactionID, transaction{
		record: newRecord(transactionID, now),
		State:  statePending,
		Amount: it.Amount,
		Item:   reference{it.ID},
		Batch:  reference{batchID},
	})
	a.batches.put(batchID, batchTransaction{
		record:      newRecord(batchID, now),
		State:       statePending,
		Amount:      it.Amount,
		Transaction: reference{transactionID},
	})
	a.payments = append(a.payments, payment{
		due: now.Add(a.settleAfter), item: it.ID, transaction: transactionID, batch: batchID,
	})
	it.State = itemPaymentPending
	it.touch(now)
	a.items.put(it.ID, it)
	return show("items", it)
}

// settle completes the payments that are due. It runs before every read and
// write, so that clients see the same as if a clock had settled each payment
// when it was due: that is the time of change in the objects.
func (a *api) settle() {
	now := a.now()
	for len(a.payments) > 0 && !a.payments[0].due.After(now) {
		paid := a.payments[0]
		a.payments = a.payments[1:]

		it := a.items.rows[paid.item]
		it.State = itemCompleted
		it.touch(paid.due)
		a.items.put(it.ID, it)

		moved := a.transactions.rows[paid.transaction]
		moved.State = stateSuccessful
		moved.touch(paid.due)
		a.transactions.put(moved.ID, moved)

		batch := a.batches.rows[paid.batch]
		batch.State = stateSuccessful
		batch.touch(paid.due)
		a.batches.put(batch.ID, batch)
	}
}
