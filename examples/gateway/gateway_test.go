// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/examples/internal/system"
	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
)

var binary string

func TestMain(m *testing.M) { lab.Main(m, &binary) }

// stage is the running example. What happens inside the API happens when a test says so.
type stage struct {
	*system.System
	t     *testing.T
	parts parts
	later system.Later
	// unseen keeps objects from being read with the platform's key.
	unseen sync.RWMutex
	// read are the paths of those that were.
	read sync.Map
}

// another is a second merchant, as Caddy knows it.
const another = "basic_auth {\n\t\t\t" + Other + " $2a$12$Dk1L68XTGNb40O0uZdQA8ehvU2z2SkjzfPuX0NeWkIa9ml/5/Ku8C"

func newStage(t *testing.T) *stage {
	t.Helper()
	return newStageAfter(t, func(*stage, http.Handler) {})
}

// newStageAfter starts it after something was done with the API alone, and replaces texts
// in the Caddyfile.
func newStageAfter(t *testing.T, before func(*stage, http.Handler), replace ...string) *stage {
	t.Helper()
	t.Setenv("GATEWAY_PLATFORM_KEY", PlatformKey)
	s := &stage{t: t}
	s.parts.stage = s
	api := New(Options{Later: s.later.Hold}).Handler()
	before(s, api)
	s.System = system.Start(t, binary, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
			s.unseen.RLock()
			defer s.unseen.RUnlock()
			defer s.read.Store(r.URL.Path, true)
		}
		api.ServeHTTP(w, r)
	}), append([]string{"every 10s", "every 1s", "basic_auth {", another}, replace...)...)
	return s
}

// parts are those of a test.
type parts struct{ stage *stage }

// Run runs one, which fails by itself.
func (p parts) Run(name string, part func()) {
	whole := p.stage.t
	whole.Run(name, func(t *testing.T) {
		p.stage.t = t
		defer func() { p.stage.t = whole }()
		part()
	})
}

// request sends a request through Caddy, as a merchant.
func (s *stage) request(merchant, password, method, path, body string) system.Answer {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.Site()+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.SetBasicAuth(merchant, password)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return system.Answer{Status: response.StatusCode, Header: response.Header, Body: string(text)}
}

// asks sends a request as a merchant, which must be answered with a status.
func (s *stage) asks(merchant, method, path, body string, want int) map[string]any {
	s.t.Helper()
	got := s.request(merchant, Passwords[merchant], method, path, body)
	if got.Status != want {
		s.t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, got.Status, got.Body, want)
	}
	var answer map[string]any
	if got.Body != "" {
		if err := json.Unmarshal([]byte(got.Body), &answer); err != nil {
			s.t.Fatal(err)
		}
	}
	return answer
}

func (s *stage) ask(method, path, body string, want int) map[string]any {
	s.t.Helper()
	return s.asks(Merchant, method, path, body, want)
}

// webhook is what the fields of a webhook are filled in with.
type webhook map[string]any

// add adds a webhook of a merchant at a path of the receiver.
func (s *stage) add(merchant, path string, fields webhook) (id string, made map[string]any) {
	s.t.Helper()
	all := webhook{"label": "Till " + path, "url": s.Receiver.URL() + path, "events": []string{"*"}}
	for name, value := range fields {
		all[name] = value
	}
	body, err := json.Marshal(all)
	if err != nil {
		s.t.Fatal(err)
	}
	made = s.asks(merchant, "POST", "/webhooks/endpoints", string(body), http.StatusCreated)
	id, _ = made["id"].(string)
	return id, made
}

// edit changes fields of a webhook.
func (s *stage) edit(id, fields string) map[string]any {
	s.t.Helper()
	return s.ask("PATCH", "/webhooks/endpoints/"+id, fields, http.StatusOK)
}

// make makes an object, and returns its path.
func (s *stage) make(kind, body string) string {
	s.t.Helper()
	key, _ := s.ask("POST", "/"+kind, body, http.StatusCreated)["key"].(string)
	return "/" + kind + "/" + key
}

// sale makes a sale that is approved at once.
func (s *stage) sale() string {
	s.t.Helper()
	return s.make("transactions", `{"kind":"sale","amount":"5.00"}`)
}

// told waits for an event at a path of the receiver, and returns what is in its body.
func (s *stage) told(path, eventType, object string) (system.Delivery, envelope) {
	s.t.Helper()
	object = strings.TrimPrefix(object, "/")
	got := s.Receiver.Await(s.t, eventType+" of "+object+" at "+path, func(d system.Delivery) bool {
		return d.Path == path && d.Type() == eventType && d.Object() == object
	})
	e := opened(s.t, got.Body)
	if e.EventType != eventType || !strings.HasSuffix(object, "/"+e.Body.Object.Key) || e.Body.Merchant.MerchKey == "" {
		s.t.Errorf("%s of %s is %s", eventType, object, got.Body)
	}
	return got, e
}

// becomes makes sales until one is delivered as is wanted, and returns that. An edit counts
// for the routing of events when it is answered, and for how they are sent a moment later;
// the paths are those of the webhook before and after.
func (s *stage) becomes(what string, wanted func(system.Delivery) bool, paths ...string) system.Delivery {
	s.t.Helper()
	for end := time.Now().Add(patience); ; {
		sale := s.sale()
		got := s.Receiver.Await(s.t, sale, func(d system.Delivery) bool {
			return "/"+d.Object() == sale && slices.Contains(paths, d.Path)
		})
		switch {
		case wanted(got):
			return got
		case time.Now().After(end):
			s.t.Fatalf("%s: got %v at %s", what, got.Header, got.Path)
		}
	}
}

// envelope is the document's example.
type envelope struct {
	Type      string `json:"type"`
	Triggered string `json:"event_triggered"`
	EventType string `json:"event_type"`
	Body      struct {
		Merchant struct {
			MerchKey string `json:"merch_key"`
		} `json:"merchant"`
		Object struct {
			Type      string
			Key       string
			Status    string
			Inventory int
			Notes     []string
			Amount    amountDetail `json:"amount_detail"`
		} `json:"object"`
	} `json:"event_body"`
	ID string `json:"event_id"`
}

func opened(t *testing.T, body string) (e envelope) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return e
}

// at returns the events that came at a path, without tests.
func (s *stage) at(path string) (types []string) {
	for _, d := range s.Receiver.Got() {
		if d.Path == path && d.Header.Get("Webhook-Op") != "test" {
			types = append(types, d.Type())
		}
	}
	return types
}

// sent returns the types of what was meant for a webhook, the newest first.
func (s *stage) sent(id string) (types []string) {
	s.t.Helper()
	listed, _ := s.ask("GET", "/webhooks/endpoints/"+id+"/deliveries", "", http.StatusOK)["data"].([]any)
	for _, item := range listed {
		delivery, _ := item.(map[string]any)
		types = append(types, fmt.Sprint(delivery["type"]))
	}
	return types
}

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

// known waits until an object was read, and what was found is noted.
func (s *stage) known(path string) string {
	s.t.Helper()
	s.Eventually(s.t, path+" is known", patience, func() error {
		if _, read := s.read.Load(path); !read {
			return errors.New("it was not read")
		}
		var marks struct {
			Items []struct {
				Object string
				DueAt  time.Time `json:"due_at"`
				Leased bool
			}
		}
		if err := s.Ask("/webhooks/marks", &marks); err != nil {
			return err
		}
		for _, mark := range marks.Items {
			if "/"+mark.Object == path && (mark.Leased || mark.DueAt.Before(time.Now())) {
				return errors.New("it is being looked at")
			}
		}
		return nil
	})
	return path
}

// settle captures a sale, and has its batch settled, which leads to an event.
func (s *stage) settle(amount, eventType string) {
	s.t.Helper()
	s.later.Happen() // what others have captured
	sale := s.make("transactions", `{"kind":"sale","amount":"`+amount+`"}`)
	s.ask("POST", sale+"/capture", "", http.StatusOK)
	s.later.Happen()
	made := s.batches()
	s.known(made)
	s.later.Happen()
	s.told("/all", eventType, made)
}

// batches returns the path of the newest batch.
func (s *stage) batches() string {
	s.t.Helper()
	listed, _ := s.ask("GET", "/batches", "", http.StatusOK)["batches"].([]any)
	last, _ := listed[len(listed)-1].(map[string]any)
	return "/batches/" + fmt.Sprint(last["key"])
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

// alone sends a request to the API when Caddy is not there yet, and returns the key of what
// it answers with.
func (s *stage) alone(api http.Handler, path, body string) (key string) {
	s.t.Helper()
	request := httptest.NewRequestWithContext(s.t.Context(), "POST", path, strings.NewReader(body))
	request.SetBasicAuth(Merchant, Passwords[Merchant])
	made := httptest.NewRecorder()
	api.ServeHTTP(made, request)
	var shown head
	if err := json.Unmarshal(made.Body.Bytes(), &shown); err != nil || shown.Key == "" {
		s.t.Fatalf("%v: %s", err, made.Body)
	}
	return shown.Key
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
