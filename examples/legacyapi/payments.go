// SPDX-License-Identifier: Apache-2.0

package legacyapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// heldAbove is the amount above which somebody looks at a payment before its item is
// completed.
const heldAbove = 5_000_000

// job is something that happens some time after the request that began it.
type job struct {
	due time.Time
	do  func(due time.Time)
}

// later has something happen after the time that a payment takes. Jobs are begun in the
// order of their times, so they are due in it, too.
func (a *api) later(now time.Time, do func(due time.Time)) {
	a.jobs = append(a.jobs, job{now.Add(a.settleAfter), do})
}

// settle does the jobs that are due. It runs before every read and write, so that
// clients see the same as if a clock had done each when it was due: that is the time of
// change in the objects.
func (a *api) settle() {
	now := a.now()
	for len(a.jobs) > 0 && !a.jobs[0].due.After(now) {
		next := a.jobs[0]
		a.jobs = a.jobs[1:]
		next.do(next.due)
	}
}

// makePayment starts the payment of an item, by a bank or from the buyer's wallet. Its
// transaction and its batch transaction are not part of the answer: a client finds them
// among the item's transactions.
func (a *api) makePayment(r *http.Request, body []byte) (reply, error) {
	it, err := a.items.get(r.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	fromWallet, err := payer(body)
	if err != nil {
		return reply{}, err
	}
	if it.State != itemPending {
		return reply{}, invalid("state", "is %q: only a %q item can be paid", it.State, itemPending)
	}
	now, moved := a.now(), a.newID()
	if fromWallet {
		// No bank has to be asked.
		a.move(moved, it, transaction{Type: typePayment, State: stateSuccessful}, now)
		return show("items", a.complete(it.ID, now))
	}
	batch := a.newID()
	a.move(moved, it, transaction{Type: typePayment, State: statePending, Batch: &reference{batch}}, now)
	a.order(batch, batchTransaction{Type: typePayment, Amount: it.Amount, Item: reference{it.ID}, Transaction: &reference{moved}}, now)
	a.later(now, func(due time.Time) { a.arrive(it.ID, moved, batch, due) })
	return show("items", a.setState(it.ID, itemPaymentPending, now))
}

// payer reads from where an item is paid.
func payer(body []byte) (fromWallet bool, err error) {
	var asked struct {
		Payment struct {
			From string `json:"from"`
		} `json:"payment"`
	}
	if len(bytes.TrimSpace(body)) > 0 && json.Unmarshal(body, &asked) != nil {
		return false, badRequest("is not JSON, or no payment")
	}
	switch asked.Payment.From {
	case "", "bank":
		return false, nil
	case "wallet":
		return true, nil
	}
	return false, invalid("payment.from", "must be bank or wallet")
}

// arrive ends a payment by a bank. That of much is held.
func (a *api) arrive(itemID, transactionID, batchID string, at time.Time) {
	a.setTransaction(transactionID, stateSuccessful, at)
	a.setBatch(batchID, stateSuccessful, at)
	if a.items.rows[itemID].Amount > heldAbove {
		a.setState(itemID, itemPaymentHeld, at)
		return
	}
	a.complete(itemID, at)
}

// releasePayment completes an item whose payment was held.
func (a *api) releasePayment(r *http.Request, _ []byte) (reply, error) {
	it, err := a.items.get(r.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	if it.State != itemPaymentHeld {
		return reply{}, invalid("state", "is %q: only the payment of a %q item can be released", it.State, itemPaymentHeld)
	}
	return show("items", a.complete(it.ID, a.now()))
}

// refund gives the buyer of a completed item the money back.
func (a *api) refund(r *http.Request, _ []byte) (reply, error) {
	it, err := a.items.get(r.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	if it.State != itemCompleted {
		return reply{}, invalid("state", "is %q: only a %q item can be refunded", it.State, itemCompleted)
	}
	now, moved := a.now(), a.newID()
	a.move(moved, it, transaction{Type: typeRefund, State: statePending}, now)
	a.later(now, func(due time.Time) { a.setTransaction(moved, stateSuccessful, due) })
	return show("items", a.setState(it.ID, itemRefunded, now))
}

// complete completes an item, and begins to pay its seller.
func (a *api) complete(id string, at time.Time) item {
	it := a.setState(id, itemCompleted, at)
	a.disburse(it, at)
	return it
}

// setState changes the state of an item.
func (a *api) setState(id, state string, at time.Time) item {
	it := a.items.rows[id]
	it.State = state
	it.touch(at)
	a.items.put(id, it)
	return it
}
