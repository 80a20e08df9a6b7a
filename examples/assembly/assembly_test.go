// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/examples/internal/system"
	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
)

var binary string

func TestMain(m *testing.M) { lab.Main(m, &binary) }

// What becomes of an object is told to the callback for its kind, see the README.
func TestObjects(t *testing.T) {
	s := newStage(t)
	for _, resource := range []string{"items", "users", "batch_transactions", "bank_accounts", "transactions"} {
		s.register(resource, "/"+resource)
	}
	seller := s.create("users", `{"email":"ann@market.example"}`)
	selling := `,"seller":{"id":"` + seller + `"}}`

	s.part("payment", func(t *testing.T) {
		id := s.create("items", `{"name":"Bicycle","amount":12500`+selling)
		s.pay(id, "bank")
		if got := s.told("items", "id", id, "state", "payment_pending"); got.Method != http.MethodPost {
			t.Errorf("told by %s", got.Method)
		}
		s.pass() // no request passes
		s.told("items", "id", id, "state", "completed", "name", "Bicycle", "amount", "12500")
	})
	s.part("show", func(t *testing.T) {
		id := s.create("items", `{"name":"Bell","amount":5}`)
		s.ask("PATCH", "/items/"+id, `{"items":{"name":"Horn"}}`, 200)
		got := s.told("items", "id", id, "name", "Horn")
		shown := s.Wants(t, Key, "GET", "/items/"+gjson.Get(got.Body, "items.id").String(), "", 200, nil)
		if strings.TrimSpace(got.Body) != strings.TrimSpace(shown.Body) {
			t.Errorf("told %s, and the API shows %s", got.Body, shown.Body)
		}
		if kind := got.Header.Get("Content-Type"); kind != shown.Header.Get("Content-Type") {
			t.Errorf("told %s", kind)
		}
	})
	s.part("payment that is held", func(*testing.T) {
		id := s.create("items", `{"name":"House","amount":9000000}`)
		s.pay(id, "bank")
		s.pass()
		s.told("items", "id", id, "state", "payment_held")
		s.ask("PATCH", "/items/"+id+"/release_payment", "", 200)
		s.told("items", "id", id, "state", "completed")
	})
	s.part("refund", func(*testing.T) {
		id := s.create("items", `{"name":"Bell","amount":5}`)
		s.pay(id, "wallet")
		s.told("items", "id", id, "state", "completed")
		s.told("transactions", "item.id", id, "type", "payment")
		s.ask("PATCH", "/items/"+id+"/refund", "", 200)
		s.told("items", "id", id, "state", "refunded")
		s.told("transactions", "item.id", id, "type", "refund")
	})
	s.part("any data of an item", func(*testing.T) {
		id := s.create("items", `{"name":"Lamp","amount":5}`)
		s.ask("PATCH", "/items/"+id, `{"items":{"amount":6}}`, 200)
		s.told("items", "id", id, "amount", "6")
		s.ask("PUT", "/items/"+id, `{"items":{"name":"Lamp","amount":6,"buyer":{"id":"`+seller+`"}}}`, 200)
		s.told("items", "id", id, "buyer.id", seller)
	})
	s.part("any data of a user", func(*testing.T) {
		s.ask("PATCH", "/users/"+seller, `{"users":{"last_name":"Lee"}}`, 200)
		s.told("users", "id", seller, "last_name", "Lee")
	})
	s.part("kyc", func(*testing.T) {
		for _, state := range []string{"approved", "held"} {
			s.ask("PATCH", "/users/"+seller, `{"users":{"kyc_state":"`+state+`"}}`, 200)
			s.told("users", "id", seller, "kyc_state", state)
		}
	})
	s.part("direct debit", func(*testing.T) {
		id := s.create("items", `{"name":"Tent","amount":8}`)
		s.pay(id, "bank")
		created := s.told("batch_transactions", "item.id", id, "state", "pending")
		s.pass()
		s.told("batch_transactions", "id", gjson.Get(created.Body, "batch_transactions.id").String(), "state", "successful")
	})
	s.part("disbursement", func(*testing.T) {
		account := s.create("bank_accounts", `{"user":{"id":"`+seller+`"},"bank_name":"Bank","account_number":"12345678"}`)
		id := s.create("items", `{"name":"Boat","amount":9`+selling)
		s.pay(id, "wallet")
		s.told("batch_transactions", "item.id", id, "type", "disbursement", "bank_account.id", account, "amount", "9", "state", "pending")
		s.pass()
		s.told("batch_transactions", "item.id", id, "type", "disbursement", "state", "successful")
		s.ask("DELETE", "/bank_accounts/"+account, "", 200)
	})
	s.part("account that is disabled", func(*testing.T) {
		account := s.create("bank_accounts", `{"user":{"id":"nobody"},"bank_name":"Bank","account_number":"12345678"}`)
		s.ask("PATCH", "/bank_accounts/"+account, `{"bank_accounts":{"bank_name":"Other"}}`, 405)
		s.ask("DELETE", "/bank_accounts/"+account, "", 200)
		s.told("bank_accounts", "id", account, "state", "deactivated", "enabled", "false")
		s.settled("bank_accounts/" + account)
	})
	s.part("account with invalid details", func(*testing.T) {
		account := s.create("bank_accounts", `{"user":{"id":"`+seller+`"},"bank_name":"Bank","account_number":"12345000"}`)
		id := s.create("items", `{"name":"Sled","amount":9`+selling)
		s.pay(id, "wallet")
		s.pass()
		s.told("batch_transactions", "item.id", id, "type", "disbursement", "state", "failed")
		s.told("bank_accounts", "id", account, "state", "invalid", "enabled", "false")
	})
	s.part("transaction", func(*testing.T) {
		id := s.create("items", `{"name":"Kite","amount":8}`)
		s.pay(id, "bank")
		created := s.told("transactions", "item.id", id, "state", "pending")
		s.pass()
		s.told("transactions", "id", gjson.Get(created.Body, "transactions.id").String(), "state", "successful")
	})
	s.part("payment from a wallet", func(*testing.T) {
		id := s.create("items", `{"name":"Drum","amount":8}`)
		s.pay(id, "wallet")
		s.told("transactions", "item.id", id, "type", "payment", "state", "successful")
	})
	s.part("changes in a hurry", func(*testing.T) {
		s.inAHurry("PATCH /make_payment", `{"payment":{"from":"wallet"}}`)
		s.told("items", "id", s.create("items", `{"name":"Bell","amount":5}`), "state", "completed")
		s.inAHurry("PATCH ", `{"users":{"kyc_state":"approved"}}`)
		s.told("users", "id", s.create("users", `{"email":"bob@market.example"}`), "kyc_state", "approved")
		s.inAHurry("DELETE ", "")
		account := s.create("bank_accounts", `{"user":{"id":"nobody"},"bank_name":"Bank","account_number":"12345678"}`)
		s.told("bank_accounts", "id", account, "enabled", "false")
	})
	s.part("nothing else", func(t *testing.T) {
		for _, d := range s.Receiver.Got() {
			made := gjson.Get(d.Body, "*.created_at").String() == gjson.Get(d.Body, "*.updated_at").String()
			if made && d.Body != testBody && d.Path != "/transactions" && d.Path != "/batch_transactions" {
				t.Errorf("it was told that one was made: %s", d.Body)
			}
			if d.Header.Get("Webhook-Signature") != "" {
				t.Errorf("it is signed: %v", d.Header)
			}
			if d.Body != testBody && !gjson.Get(d.Body, strings.TrimPrefix(d.Path, "/")).Exists() {
				t.Errorf("%s was told of another kind of object: %s", d.Path, d.Body)
			}
		}
	})
}

// What comes of a request is told at once: it does not wait for the next list of all.
func TestAtOnce(t *testing.T) {
	s := newStageListing(t, "every 1h")
	for _, resource := range []string{"batch_transactions", "transactions"} {
		s.register(resource, "/"+resource)
	}
	id := s.create("items", `{"name":"Bell","amount":5}`)
	s.pay(id, "bank")
	s.told("transactions", "item.id", id, "type", "payment", "state", "pending")
	s.told("batch_transactions", "item.id", id, "type", "payment", "state", "pending")
	s.pass()
	s.told("transactions", "item.id", id, "type", "payment", "state", "successful")
	s.told("batch_transactions", "item.id", id, "type", "payment", "state", "successful")
	// This one is paid inside, so that its transactions are not read because of that.
	id = s.create("items", `{"name":"Horn","amount":5}`)
	s.inside("PATCH", "/items/"+id+"/make_payment", `{"payment":{"from":"wallet"}}`)
	s.ask("PATCH", "/items/"+id+"/refund", "", 200)
	s.told("transactions", "item.id", id, "type", "refund", "state", "pending")
	s.pass()
	s.told("transactions", "item.id", id, "type", "refund", "state", "successful")
}

func TestReadme(t *testing.T) {
	system.CheckReadme(t, 15)
	system.CheckCaddyfile(t, binary)
	s := newStage(t)
	happens := s.Reader.Meanwhile
	s.Reader.Meanwhile = func(what string) error {
		switch state, isState := strings.CutPrefix(what, "told "); {
		case what == "inside":
			s.pass()
		case isState:
			s.Receiver.Await(t, what, func(d system.Delivery) bool { return has(d.Body, "items", []string{"state", state}) })
			s.recorded()
		default:
			return happens(what)
		}
		return nil
	}
	s.ReadAlong(t)
}
