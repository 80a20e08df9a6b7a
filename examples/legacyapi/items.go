// SPDX-License-Identifier: Apache-2.0

package legacyapi

import (
	"net/http"
	"strings"
)

// States of an item.
const (
	itemPending        = "pending"
	itemPaymentPending = "payment_pending"
	itemPaymentHeld    = "payment_held"
	itemCompleted      = "completed"
	itemRefunded       = "refunded"
)

// item is something that a buyer buys from a seller.
type item struct {
	record
	itemFields
	State string `json:"state"`
}

// itemFields are the fields that clients may set.
type itemFields struct {
	Name string `json:"name"`
	// Amount is in the currency's smallest unit.
	Amount int64      `json:"amount"`
	Seller *reference `json:"seller"`
	Buyer  *reference `json:"buyer"`
}

// itemInput is an item in the form that clients send. Fields that the API does
// not know are ignored, so that clients can send back what GET returned.
type itemInput struct {
	itemFields
	ID    string `json:"id"`
	State string `json:"state"`
}

func (f itemFields) check() error {
	switch {
	case strings.TrimSpace(f.Name) == "":
		return invalid("name", "must not be empty")
	case f.Amount <= 0:
		return invalid("amount", "must be greater than 0")
	case f.Seller != nil && f.Seller.ID == "":
		return invalid("seller.id", "must not be empty")
	case f.Buyer != nil && f.Buyer.ID == "":
		return invalid("buyer.id", "must not be empty")
	}
	return nil
}

// equal reports whether two inputs have the same values.
func (f itemFields) equal(g itemFields) bool {
	return f.Name == g.Name && f.Amount == g.Amount &&
		sameReference(f.Seller, g.Seller) && sameReference(f.Buyer, g.Buyer)
}

func sameReference(a, b *reference) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

func (a *api) listItems(r *http.Request, _ []byte) (reply, error) {
	return a.items.list("items", r, nil)
}

func (a *api) showItem(r *http.Request, _ []byte) (reply, error) {
	it, err := a.items.get(r.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	return show("items", it)
}

func (a *api) createItem(_ *http.Request, body []byte) (reply, error) {
	input := itemInput{State: itemPending}
	if err := decode("items", body, &input); err != nil {
		return reply{}, err
	}
	if err := input.check(); err != nil {
		return reply{}, err
	}
	if input.State != itemPending {
		return reply{}, invalid("state", "of a new item is %q", itemPending)
	}
	id, err := claimID(a.items, input.ID, a.newID)
	if err != nil {
		return reply{}, err
	}
	it := item{record: newRecord(id, a.now()), itemFields: input.itemFields, State: itemPending}
	a.items.put(id, it)
	return created("items", id, it)
}

// updateItem serves PATCH, which keeps fields that the body does not name, and
// PUT, which replaces all fields that a client may set.
func (a *api) updateItem(r *http.Request, body []byte) (reply, error) {
	it, err := a.items.get(r.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	input := itemInput{ID: it.ID, State: it.State}
	if r.Method == http.MethodPatch {
		input.Name, input.Amount = it.Name, it.Amount
		// Copies, because the decoder writes through pointers.
		input.Seller, input.Buyer = copyOf(it.Seller), copyOf(it.Buyer)
	}
	if err := decode("items", body, &input); err != nil {
		return reply{}, err
	}
	if err := input.check(); err != nil {
		return reply{}, err
	}
	switch {
	case input.ID != it.ID:
		return reply{}, invalid("id", "cannot be changed")
	case input.State != it.State:
		return reply{}, invalid("state", "changes by payments only")
	case input.itemFields.equal(it.itemFields):
		return show("items", it)
	case input.Amount != it.Amount && it.State != itemPending:
		return reply{}, invalid("amount", "cannot be changed once a payment was made")
	}
	it.itemFields = input.itemFields
	it.touch(a.now())
	a.items.put(it.ID, it)
	return show("items", it)
}

func copyOf(ref *reference) *reference {
	if ref == nil {
		return nil
	}
	return &reference{ID: ref.ID}
}

func (a *api) deleteItem(r *http.Request, _ []byte) (reply, error) {
	it, err := a.items.get(r.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	if it.State == itemPaymentPending || it.State == itemPaymentHeld {
		return reply{}, invalid("state", "is %q: an item that is being paid cannot be deleted", it.State)
	}
	a.items.remove(it.ID)
	return reply{status: http.StatusNoContent}, nil
}
