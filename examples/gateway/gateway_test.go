// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/examples/internal/system"
)

// events are those of the document's table.
var events = []string{
	"cau.submitted", "cau.updated_expiration", "cau.updated_card", "cau.contact_customer", "cau.account_closed",
	"ach.submitted", "ach.settled", "ach.returned", "ach.failed", "ach.note_added",
	"product.inventory.ordered", "product.inventory.adjusted",
	"transaction.sale.success", "transaction.sale.failure", "transaction.sale.voided", "transaction.sale.captured",
	"transaction.sale.adjusted", "transaction.sale.queued", "transaction.sale.unvoided",
	"transaction.refund.success", "transaction.refund.voided",
	"settlement.batch.success", "settlement.batch.failure",
}

// Each event of the document's table comes of what it says, and no other event is made.
func TestEvents(t *testing.T) {
	s := newStage(t)
	s.add(Merchant, "/all", nil)
	// cardUpdate has a card brought up to date, which leads to an event.
	cardUpdate := func(card, eventType string) {
		s.t.Helper()
		update := s.make("card_updates", `{"card":"`+card+`"}`)
		s.told("/all", "cau.submitted", update)
		s.later.Happen()
		s.told("/all", eventType, update)
	}
	// payment makes an ACH payment, which ends with an event.
	payment := func(account, eventType string) {
		s.t.Helper()
		made := s.make("ach", `{"amount":"5.00","account":"`+account+`"}`)
		s.later.Happen()
		s.told("/all", "ach.submitted", made)
		s.later.Happen()
		s.told("/all", eventType, made)
	}
	// change changes an object, which leads to an event.
	change := func(method, path, body, eventType, object string) envelope {
		s.t.Helper()
		s.ask(method, path, body, http.StatusOK)
		_, e := s.told("/all", eventType, object)
		return e
	}
	approved := func(kind string) string {
		s.t.Helper()
		made := s.make("transactions", `{"kind":"`+kind+`","amount":"5.00"}`)
		s.told("/all", "transaction."+kind+".success", made)
		return made
	}

	s.parts.Run("cau submitted", func() {
		s.told("/all", "cau.submitted", s.make("card_updates", `{}`))
		s.later.Happen()
	})
	s.parts.Run("cau updated expiration", func() { cardUpdate(CardExpiration, "cau.updated_expiration") })
	s.parts.Run("cau updated card", func() { cardUpdate("", "cau.updated_card") })
	s.parts.Run("cau contact customer", func() { cardUpdate(CardContact, "cau.contact_customer") })
	s.parts.Run("cau account closed", func() { cardUpdate(CardClosed, "cau.account_closed") })

	s.parts.Run("ach submitted", func() {
		made := s.make("ach", `{"amount":"5.00"}`)
		s.later.Happen()
		if _, e := s.told("/all", "ach.submitted", made); e.Body.Object.Status != "submitted" {
			s.t.Errorf("told %+v", e)
		}
		s.later.Happen()
	})
	s.parts.Run("ach settled", func() { payment("", "ach.settled") })
	s.parts.Run("ach returned", func() { payment(AccountReturned, "ach.returned") })
	s.parts.Run("ach failed", func() { payment(AccountFailed, "ach.failed") })
	s.parts.Run("ach note added", func() {
		made := s.make("ach", `{"amount":"5.00"}`)
		s.later.Happen()
		s.told("/all", "ach.submitted", made)
		e := change("POST", made+"/notes", `{"note":"Ann has called"}`, "ach.note_added", made)
		if !slices.Equal(e.Body.Object.Notes, []string{"Ann has called"}) {
			s.t.Errorf("told %+v", e)
		}
		s.later.Happen()
	})

	s.parts.Run("product inventory ordered", func() {
		cup := s.known(s.make("products", `{"name":"cup","inventory":9}`))
		sale := s.make("transactions", `{"kind":"sale","amount":"5.00","line_items":[{"product_key":"`+strings.TrimPrefix(cup, "/products/")+`","quantity":2}]}`)
		s.told("/all", "transaction.sale.success", sale)
		if _, e := s.told("/all", "product.inventory.ordered", cup); e.Body.Object.Inventory != 7 {
			s.t.Errorf("told %+v", e)
		}
	})
	s.parts.Run("product inventory adjusted", func() {
		cup := s.known(s.make("products", `{"name":"cup","inventory":9}`))
		e := change("PATCH", cup, `{"inventory":5}`, "product.inventory.adjusted", cup)
		if e.Body.Object.Inventory != 5 || e.Body.Object.Type != "product" {
			s.t.Errorf("told %+v", e)
		}
	})

	s.parts.Run("sale success", func() { approved("sale") })
	s.parts.Run("sale failure", func() {
		for _, card := range []string{CardDeclined, CardError} {
			s.told("/all", "transaction.sale.failure", s.make("transactions", `{"kind":"sale","amount":"5.00","card":"`+card+`"}`))
		}
	})
	s.parts.Run("sale voided", func() {
		sale := approved("sale")
		change("POST", sale+"/void", "", "transaction.sale.voided", sale)
	})
	s.parts.Run("sale captured", func() {
		sale := approved("sale")
		change("POST", sale+"/capture", "", "transaction.sale.captured", sale)
	})
	s.parts.Run("sale adjusted", func() {
		sale := approved("sale")
		e := change("POST", sale+"/adjust", `{"amount":"6.50"}`, "transaction.sale.adjusted", sale)
		if e.Body.Object.Amount.Amount != "6.50" {
			s.t.Errorf("told %+v", e)
		}
	})
	s.parts.Run("sale queued", func() {
		sale := s.make("transactions", `{"kind":"sale","amount":"5.00","queue":true}`)
		s.told("/all", "transaction.sale.queued", sale)
		declined := s.make("transactions", `{"kind":"sale","amount":"5.00","queue":true,"card":"`+CardDeclined+`"}`)
		s.told("/all", "transaction.sale.queued", declined)
		s.later.Happen()
		s.told("/all", "transaction.sale.success", sale)
		s.told("/all", "transaction.sale.failure", declined)
	})
	s.parts.Run("sale unvoided", func() {
		sale := approved("sale")
		change("POST", sale+"/void", "", "transaction.sale.voided", sale)
		change("POST", sale+"/unvoid", "", "transaction.sale.unvoided", sale)
	})
	s.parts.Run("refund success", func() { approved("refund") })
	s.parts.Run("refund voided", func() {
		refund := approved("refund")
		change("POST", refund+"/void", "", "transaction.refund.voided", refund)
	})

	s.parts.Run("batch success", func() { s.settle("5.00", "settlement.batch.success") })
	s.parts.Run("batch failure", func() { s.settle(AmountRefused, "settlement.batch.failure") })

	s.parts.Run("no others", func() {
		// A refund that is declined has no event in the table.
		s.make("transactions", `{"kind":"refund","amount":"5.00","card":"`+CardDeclined+`"}`)
		s.told("/all", "transaction.sale.success", s.sale())
		came := s.at("/all")
		slices.Sort(came)
		wanted := slices.Sorted(slices.Values(events))
		if came = slices.Compact(came); !slices.Equal(came, wanted) || len(wanted) != 23 {
			s.t.Errorf("these came: %q", came)
		}
	})
	s.parts.Run("descriptions", func() {
		var types []struct{ Pattern, Description string }
		if err := s.Ask("/config/apps/webhooks/subscribers/types", &types); err != nil {
			s.t.Fatal(err)
		}
		var named []string
		for _, of := range types {
			if named = append(named, of.Pattern); of.Description == "" {
				s.t.Errorf("nobody says what %s is", of.Pattern)
			}
		}
		if !slices.Equal(named, events) {
			s.t.Errorf("merchants can choose from %q", named)
		}
	})
}

// What is over before an object is read for the first time is told all the same.
func TestFast(t *testing.T) {
	s := newStage(t)
	s.add(Merchant, "/all", nil)
	for _, test := range []struct {
		kind, body, then string
		told             []string
	}{
		{"card_updates", `{}`, "", []string{"cau.submitted", "cau.updated_card"}},
		{"ach", `{"amount":"5.00"}`, "", []string{"ach.settled"}},
		{"transactions", `{"kind":"sale","amount":"5.00","queue":true}`, "", []string{"transaction.sale.success"}},
		{"transactions", `{"kind":"sale","amount":"5.00"}`, "/void", []string{"transaction.sale.success", "transaction.sale.voided"}},
		{"transactions", `{"kind":"sale","amount":"5.00"}`, "/capture", []string{"transaction.sale.success", "transaction.sale.captured"}},
	} {
		s.unseen.Lock()
		made := s.make(test.kind, test.body)
		if test.then != "" {
			s.ask("POST", made+test.then, "", http.StatusOK)
		}
		s.later.Happen()
		s.later.Happen()
		s.unseen.Unlock()
		for _, eventType := range test.told {
			s.told("/all", eventType, made)
		}
	}
	s.told("/all", "settlement.batch.success", s.batches())
}

// Products that were there before Caddy was are known, so that a change is seen as one.
func TestProductsOfBefore(t *testing.T) {
	var cup string
	s := newStageAfter(t, func(s *stage, api http.Handler) {
		cup = "/products/" + s.alone(api, "/products", `{"name":"cup","inventory":9}`)
	})
	s.add(Merchant, "/all", nil)
	s.known(cup)
	s.ask("PATCH", cup, `{"inventory":5}`, http.StatusOK)
	s.told("/all", "product.inventory.adjusted", cup)
}

// A batch that is known is read until it ends, whether or not it is listed again.
func TestKnownBatch(t *testing.T) {
	s := newStageAfter(t, func(s *stage, api http.Handler) {
		sale := s.alone(api, "/transactions", `{"kind":"sale","amount":"5.00"}`)
		s.alone(api, "/transactions/"+sale+"/capture", "")
		s.later.Happen()
	}, "{\n\t\t\t\tevery 1s", "{\n\t\t\t\tevery 1h")
	s.add(Merchant, "/all", nil)
	made := s.known(s.batches())
	s.later.Happen()
	s.told("/all", "settlement.batch.success", made)
}

// Of what happens between two reads, the end is told.
func TestBetweenReads(t *testing.T) {
	s := newStage(t)
	id, _ := s.add(Merchant, "/all", nil)
	payment := s.known(s.make("ach", `{"amount":"5.00"}`))
	cup := s.known(s.make("products", `{"name":"cup","inventory":9}`))

	s.unseen.Lock()
	s.later.Happen()
	s.later.Happen()
	sale := s.make("transactions", `{"kind":"sale","amount":"5.00","line_items":[{"product_key":"`+strings.TrimPrefix(cup, "/products/")+`","quantity":2}]}`)
	s.ask("PATCH", cup, `{"inventory":5}`, http.StatusOK)
	s.unseen.Unlock()

	s.told("/all", "ach.settled", payment)
	s.told("/all", "transaction.sale.success", sale)
	s.Receiver.Await(t, "an event of the product", func(d system.Delivery) bool { return "/"+d.Object() == cup })
	s.ask("PATCH", cup, `{"inventory":4}`, http.StatusOK) // nothing more comes of what was before
	s.Receiver.Await(t, "the second event of the product", func(d system.Delivery) bool {
		return "/"+d.Object() == cup && opened(t, d.Body).Body.Object.Inventory == 4
	})
	sent := s.sent(id)
	slices.Sort(sent)
	if sent = slices.DeleteFunc(sent, func(of string) bool { return strings.HasPrefix(of, "product.") }); !slices.Equal(sent, []string{"ach.settled", "transaction.sale.success"}) {
		t.Errorf("sent %q", sent)
	}
	if came := s.at("/all"); len(came) != 4 {
		t.Errorf("%q came", came)
	}
}

// example is what the document's example has, in its order.
var example = regexp.MustCompile(`^\{"type":"event","event_triggered":"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d","event_type":"transaction\.sale\.success",` +
	`"event_body":\{"merchant":\{"merch_key":"7qwnw4j2kmqvrb3"\},` +
	`"object":\{"type":"transaction","key":"[a-z0-9]{15}",[^}]*"amount_detail":\{"amount":"5\.00"\},"authcode":"\d{6}"[^}]*\}\},"event_id":"[^"]+"\}$`)

func TestEnvelope(t *testing.T) {
	s := newStage(t)
	id, _ := s.add(Merchant, "/all", nil)
	s.ask("PATCH", "/webhooks/endpoints/"+id, `{"payload":{"data":[{"name":"object","path":"key"}]}}`, http.StatusUnprocessableEntity)
	s.edit(id, `{"payload":null}`) // it is the same again
	made := s.ask("POST", "/transactions", `{"kind":"sale","amount":"5.00"}`, http.StatusCreated)
	got, e := s.told("/all", "transaction.sale.success", "/transactions/"+fmt.Sprint(made["key"]))
	if !example.MatchString(got.Body) || !strings.Contains(got.Body, fmt.Sprint(`"authcode":"`, made["authcode"], `"`)) {
		t.Errorf("told %s", got.Body)
	}
	if id, _, _ := strings.Cut(strings.TrimPrefix(got.Header.Get("Webhook-Id"), "evt_"), "_"); e.ID != "evt_"+id {
		t.Errorf("event_id is %s, that of the header %s", e.ID, got.Header.Get("Webhook-Id"))
	}
	if at, err := time.Parse(time.DateTime, e.Triggered); err != nil || time.Since(at).Abs() > 10*time.Minute {
		t.Errorf("event_triggered is %s: %v", e.Triggered, err)
	}
	if kind := got.Header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("it is %s", kind)
	}
}
