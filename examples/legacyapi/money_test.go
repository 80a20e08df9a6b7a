// SPDX-License-Identifier: Apache-2.0

package legacyapi

import (
	"net/http"
	"testing"
	"time"
)

// An item that a wallet pays is completed at once, and no bank hears of it.
func TestPaymentFromWallet(t *testing.T) {
	c := newClient(t)
	c.do("POST", "/items", `{"items":{"id":"a","name":"Bell","amount":5}}`, http.StatusCreated)
	c.do("PATCH", "/items/a/make_payment", `{"payment":{"from":"a friend"}}`, http.StatusUnprocessableEntity)
	c.do("PATCH", "/items/a/make_payment", `{"payment":`, http.StatusBadRequest)
	c.wants(c.do("PATCH", "/items/a/make_payment", `{"payment":{"from":"wallet"}}`, http.StatusOK), map[string]string{"items.state": "completed"})
	c.wants(c.do("GET", "/items/a/transactions", "", http.StatusOK), map[string]string{
		"transactions.#.type": `["payment"]`, "transactions.#.state": `["successful"]`, "transactions.0.batch_transaction": "",
	})
	c.wants(c.do("GET", "/items/a/batch_transactions", "", http.StatusOK), map[string]string{"batch_transactions.#": "0"})
}

// A payment of much is held until somebody releases it.
func TestPaymentIsHeld(t *testing.T) {
	c := newClient(t)
	c.do("POST", "/items", `{"items":{"id":"a","name":"House","amount":5000001}}`, http.StatusCreated)
	c.do("PATCH", "/items/a/make_payment", "", http.StatusOK)
	c.do("PATCH", "/items/a/release_payment", "", http.StatusUnprocessableEntity)
	c.now = c.now.Add(3 * time.Second)
	c.wants(c.do("GET", "/items/a", "", http.StatusOK), map[string]string{"items.state": "payment_held"})
	c.do("DELETE", "/items/a", "", http.StatusUnprocessableEntity)
	c.do("PATCH", "/items/a/refund", "", http.StatusUnprocessableEntity)
	c.wants(c.do("PATCH", "/items/a/release_payment", "", http.StatusOK), map[string]string{"items.state": "completed"})
	c.do("PATCH", "/items/b/release_payment", "", http.StatusNotFound)
}

func TestRefund(t *testing.T) {
	c := newClient(t)
	c.do("POST", "/items", `{"items":{"id":"a","name":"Bell","amount":5}}`, http.StatusCreated)
	c.do("PATCH", "/items/a/make_payment", `{"payment":{"from":"wallet"}}`, http.StatusOK)
	c.wants(c.do("PATCH", "/items/a/refund", "", http.StatusOK), map[string]string{"items.state": "refunded"})
	c.do("PATCH", "/items/a/refund", "", http.StatusUnprocessableEntity)
	c.do("PATCH", "/items/b/refund", "", http.StatusNotFound)
	c.wants(c.do("GET", "/items/a/transactions", "", http.StatusOK), map[string]string{"transactions.#.state": `["successful","pending"]`, "transactions.1.type": "refund"})
	c.now = c.now.Add(3 * time.Second)
	c.wants(c.do("GET", "/items/a/transactions", "", http.StatusOK), map[string]string{"transactions.#.state": `["successful","successful"]`})
}

// The seller of a completed item is paid some time later. A bank account that no bank
// knows is found out by that, and not used again.
func TestDisbursement(t *testing.T) {
	for number, want := range map[string]struct{ batch, account, enabled string }{
		"12345678": {"successful", "active", "true"},
		"12345000": {"failed", "invalid", "false"},
	} {
		c := newClient(t)
		c.do("POST", "/bank_accounts", `{"bank_accounts":{"id":"other","user":{"id":"u2"},"bank_name":"B","account_number":"1111"}}`, http.StatusCreated)
		c.do("POST", "/bank_accounts", `{"bank_accounts":{"id":"acc","user":{"id":"u1"},"bank_name":"B","account_number":"`+number+`"}}`, http.StatusCreated)
		c.do("POST", "/items", `{"items":{"id":"a","name":"Bell","amount":5,"seller":{"id":"u1"}}}`, http.StatusCreated)
		c.do("PATCH", "/items/a/make_payment", "", http.StatusOK)
		c.now = c.now.Add(3 * time.Second)
		c.wants(c.do("GET", "/items/a/batch_transactions", "", http.StatusOK), map[string]string{
			"batch_transactions.#.type": `["payment","disbursement"]`, "batch_transactions.#.state": `["successful","pending"]`, "batch_transactions.1.bank_account.id": "acc",
		})
		c.now = c.now.Add(3 * time.Second)
		c.wants(c.do("GET", "/items/a/batch_transactions", "", http.StatusOK), map[string]string{"batch_transactions.1.state": want.batch})
		c.wants(c.do("GET", "/bank_accounts/acc", "", http.StatusOK), map[string]string{"bank_accounts.state": want.account, "bank_accounts.enabled": want.enabled})

		c.do("POST", "/items", `{"items":{"id":"b","name":"Bell","amount":5,"seller":{"id":"u1"}}}`, http.StatusCreated)
		c.do("PATCH", "/items/b/make_payment", `{"payment":{"from":"wallet"}}`, http.StatusOK)
		c.wants(c.do("GET", "/items/b/batch_transactions", "", http.StatusOK), map[string]string{"batch_transactions.#": map[string]string{"true": "1", "false": "0"}[want.enabled]})
	}
}
