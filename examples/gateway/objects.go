// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"crypto/rand"
	"errors"
	"math/big"
)

// What cards, accounts and amounts lead to, as those of a gateway that is for tests: all
// others go well.
const (
	CardDeclined   = "4000000000000002"
	CardError      = "4000000000000119"
	CardExpiration = "4000000000000069"
	CardContact    = "4000000000000101"
	CardClosed     = "4000000000000341"

	AccountReturned = "000222222227"
	AccountFailed   = "000111111116"

	// AmountRefused is an amount that no batch is settled with.
	AmountRefused = "13.13"
)

// transaction is a sale or a refund.
type transaction struct {
	head
	Kind      string       `json:"kind"`
	Status    string       `json:"status"`
	Response  string       `json:"response,omitempty"`
	Captured  bool         `json:"captured"`
	Amount    amountDetail `json:"amount_detail"`
	AuthCode  string       `json:"authcode,omitempty"`
	LineItems []item       `json:"line_items,omitempty"`
}

type amountDetail struct {
	Amount string `json:"amount"`
}

// item is how much of a product is sold.
type item struct {
	ProductKey string `json:"product_key"`
	Quantity   int    `json:"quantity"`
}

func (a *API) beginTransaction(h head, asked request) (object, error) {
	if asked.Kind != "sale" && asked.Kind != "refund" {
		return nil, errors.New("kind is sale or refund")
	}
	made := &transaction{head: h, Kind: asked.Kind, Status: "queued", Amount: amountDetail{asked.Amount}, LineItems: asked.LineItems}
	if asked.Queue {
		a.inside(func() { a.decide(made, asked.Card) })
	} else {
		a.decide(made, asked.Card)
	}
	return made, nil
}

// decide does what the processor does with a transaction.
func (a *API) decide(made *transaction, card string) {
	switch card {
	case CardDeclined:
		made.Status, made.Response = "failure", "declined"
	case CardError:
		made.Status, made.Response = "failure", "error"
	default:
		made.Status = "success"
		code, _ := rand.Int(rand.Reader, big.NewInt(900000)) // it never fails
		made.AuthCode = code.Add(code, big.NewInt(100000)).String()
		a.order(made)
	}
}

// order takes from the stock what is sold.
func (a *API) order(made *transaction) {
	for _, sold := range made.LineItems {
		if p, isProduct := a.objects["/products/"+sold.ProductKey].(*product); isProduct && p.MerchKey == made.MerchKey {
			p.Inventory -= sold.Quantity
		}
	}
}

// transactionChanges are those that nothing else comes of.
var transactionChanges = map[string]func(object, request) error{
	"void":   move("success", "voided"),
	"unvoid": move("voided", "success"),
	"adjust": func(o object, asked request) error {
		t := o.(*transaction)
		if t.Kind != "sale" || t.Status != "success" {
			return isNot("a sale that was approved", t.Status)
		}
		t.Amount.Amount = asked.Amount
		return nil
	},
}

// move returns a change of the status.
func move(from, to string) func(object, request) error {
	return func(o object, _ request) error {
		t := o.(*transaction)
		if t.Status != from {
			return isNot(from, t.Status)
		}
		t.Status = to
		return nil
	}
}

// capture captures a sale, which is settled in the merchant's next batch.
func (a *API) capture(o object, _ request) error {
	t := o.(*transaction)
	if t.Kind != "sale" || t.Status != "success" {
		return isNot("a sale that was approved", t.Status)
	}
	t.Captured = true
	a.inside(func() {
		made := &batch{head: a.head("batches", t.MerchKey), Status: "pending", Transactions: []string{t.Key}}
		a.keep("batches", made)
		a.inside(func() {
			made.Status = "success"
			if t.Amount.Amount == AmountRefused {
				made.Status = "failure"
			}
		})
	})
	return nil
}

// batch is what is settled at once.
type batch struct {
	head
	Status       string   `json:"status"`
	Transactions []string `json:"transactions"`
}

// achPayment is a payment from a bank account.
type achPayment struct {
	head
	Status string       `json:"status"`
	Amount amountDetail `json:"amount_detail"`
	Notes  []string     `json:"notes"`
}

func (a *API) beginACH(h head, asked request) (object, error) {
	made := &achPayment{head: h, Status: "pending", Amount: amountDetail{asked.Amount}, Notes: []string{}}
	a.inside(func() {
		made.Status = "submitted"
		a.inside(func() {
			switch asked.Account {
			case AccountReturned:
				made.Status = "returned"
			case AccountFailed:
				made.Status = "failed"
			default:
				made.Status = "settled"
			}
		})
	})
	return made, nil
}

func addNote(o object, asked request) error {
	payment := o.(*achPayment)
	payment.Notes = append(payment.Notes, asked.Note)
	return nil
}

// cardUpdate asks the card's issuer for what has changed.
type cardUpdate struct {
	head
	Status string `json:"status"`
}

func (a *API) beginCardUpdate(h head, asked request) (object, error) {
	made := &cardUpdate{head: h, Status: "submitted"}
	a.inside(func() {
		switch asked.Card {
		case CardExpiration:
			made.Status = "updated_expiration"
		case CardContact:
			made.Status = "contact_customer"
		case CardClosed:
			made.Status = "account_closed"
		default:
			made.Status = "updated_card"
		}
	})
	return made, nil
}

// product is what is in stock.
type product struct {
	head
	Name      string `json:"name"`
	Inventory int    `json:"inventory"`
}

func beginProduct(h head, asked request) (object, error) {
	return &product{h, asked.Name, asked.Inventory}, nil
}

func changeProduct(o object, asked request) error {
	o.(*product).Inventory = asked.Inventory
	return nil
}
