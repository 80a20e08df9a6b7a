// SPDX-License-Identifier: Apache-2.0

package legacyapi

import (
	"net/http"
	"testing"
	"time"
)

func TestPaymentSettlesByItself(t *testing.T) {
	c := newClient(t)
	c.do("POST", "/items", bicycle, http.StatusCreated)
	c.wants(c.do("GET", "/items/42/transactions", "", http.StatusOK), map[string]string{"transactions": "[]"})

	paid := c.do("PATCH", "/items/42/make_payment", "", http.StatusOK)
	c.wants(paid, map[string]string{
		"items.state":      "payment_pending",
		"items.updated_at": "2026-01-02T03:04:05.000000001Z",
	})
	list := c.do("GET", "/items/42/transactions", "", http.StatusOK)
	c.wants(list, map[string]string{
		"transactions.#":         "1",
		"transactions.0.state":   "pending",
		"transactions.0.amount":  "12500",
		"transactions.0.item.id": "42",
	})
	transaction := "/transactions/" + list.Get("transactions.0.id").String()
	batch := "/batch_transactions/" + list.Get("transactions.0.batch_transaction.id").String()
	c.wants(c.do("GET", batch, "", http.StatusOK), map[string]string{
		"batch_transactions.state":          "pending",
		"batch_transactions.transaction.id": list.Get("transactions.0.id").String(),
	})

	c.now = c.now.Add(3*time.Second - 1)
	c.wants(c.do("GET", "/items/42", "", http.StatusOK), map[string]string{"items.state": "payment_pending"})

	// However late a client looks, the objects changed when the payment was
	// due.
	c.now = c.now.Add(time.Hour)
	c.wants(c.do("GET", transaction, "", http.StatusOK), map[string]string{
		"transactions.state":      "successful",
		"transactions.updated_at": "2026-01-02T03:04:08.000000000Z",
	})
	c.wants(c.do("GET", batch, "", http.StatusOK), map[string]string{
		"batch_transactions.state":      "successful",
		"batch_transactions.updated_at": "2026-01-02T03:04:08.000000000Z",
	})
	c.wants(c.do("GET", "/items/42", "", http.StatusOK), map[string]string{
		"items.state":      "completed",
		"items.updated_at": "2026-01-02T03:04:08.000000000Z",
	})
	for _, resource := range []string{"transactions", "batch_transactions"} {
		c.wants(c.do("GET", "/"+resource, "", http.StatusOK), map[string]string{resource + ".#.state": `["successful"]`})
	}
}

func TestPaymentRefusals(t *testing.T) {
	c := newClient(t)
	c.do("PATCH", "/items/42/make_payment", "", http.StatusNotFound)
	c.do("POST", "/items", bicycle, http.StatusCreated)
	pending := c.do("PATCH", "/items/42/make_payment", "", http.StatusOK)

	c.now = c.now.Add(time.Second)
	c.do("PATCH", "/items/42/make_payment", "", http.StatusUnprocessableEntity)
	c.do("PATCH", "/items/42", `{"items":{"amount":1}}`, http.StatusUnprocessableEntity)
	c.do("DELETE", "/items/42", "", http.StatusUnprocessableEntity)
	if got := c.do("GET", "/items/42", "", http.StatusOK); got.Raw != pending.Raw {
		t.Errorf("a refused request changed the item: %s, was %s", got.Raw, pending.Raw)
	}

	c.now = c.now.Add(time.Minute)
	c.do("PATCH", "/items/42/make_payment", "", http.StatusUnprocessableEntity)
	c.wants(c.do("GET", "/transactions", "", http.StatusOK), map[string]string{"transactions.#": "1"})
	c.do("DELETE", "/items/42", "", http.StatusNoContent)
	c.do("GET", "/items/42/transactions", "", http.StatusNotFound)
}

func TestPaymentsSettleEachInItsTime(t *testing.T) {
	c := newClient(t)
	for _, id := range []string{"a", "b"} {
		c.do("POST", "/items", `{"items":{"id":"`+id+`","name":"Bell","amount":1}}`, http.StatusCreated)
		c.do("PATCH", "/items/"+id+"/make_payment", "", http.StatusOK)
		c.now = c.now.Add(2 * time.Second)
	}
	c.wants(c.do("GET", "/items", "", http.StatusOK), map[string]string{"items.#.state": `["completed","payment_pending"]`})
	// A change while the payment is under way does not stop it.
	c.do("PATCH", "/items/b", `{"items":{"name":"Horn"}}`, http.StatusOK)
	c.now = c.now.Add(2 * time.Second)
	c.wants(c.do("GET", "/items/b", "", http.StatusOK), map[string]string{"items.state": "completed", "items.name": "Horn"})
}
