// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/examples/internal/system"
	"github.com/caddy-webhooks/caddy-webhooks/examples/legacyapi"
	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
)

var binary string

func TestMain(m *testing.M) { lab.Main(m, &binary) }

// testBody is what a receiver gets when a callback is made.
const testBody = `{"test":true}`

// stage is the running example. Time passes inside the API when a test says so.
type stage struct {
	*system.System
	t *testing.T

	mu  sync.Mutex
	now time.Time
	// hurry is a request that is made before the API answers the next one that makes
	// an object: what is done with that object, and the body.
	hurry [2]string
}

// hurried makes the requests that are in a hurry.
func (s *stage) hurried(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		hurry := s.hurry
		if r.Method == http.MethodPost {
			s.hurry = [2]string{}
		}
		s.mu.Unlock()
		if r.Method != http.MethodPost || hurry[0] == "" {
			api.ServeHTTP(w, r)
			return
		}
		made := httptest.NewRecorder()
		api.ServeHTTP(made, r)
		method, action, _ := strings.Cut(hurry[0], " ")
		again := httptest.NewRequestWithContext(r.Context(), method, made.Header().Get("Location")+action, strings.NewReader(hurry[1]))
		again.Header.Set("Authorization", "Bearer "+Key)
		api.ServeHTTP(httptest.NewRecorder(), again)
		w.Header().Set("Location", made.Header().Get("Location"))
		w.Header().Set("Content-Type", made.Header().Get("Content-Type"))
		w.WriteHeader(made.Code)
		_, _ = w.Write(made.Body.Bytes())
	})
}

// inAHurry has something done with the next object before its making is answered.
func (s *stage) inAHurry(action, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hurry = [2]string{action, body}
}

func newStage(t *testing.T, replace ...string) *stage {
	t.Helper()
	return newStageListing(t, "every 1s", replace...)
}

// newStageListing says how often all objects are listed.
func newStageListing(t *testing.T, every string, replace ...string) *stage {
	t.Helper()
	t.Setenv("ASSEMBLY_PLATFORM_KEY", PlatformKey)
	s := &stage{t: t, now: time.Now()}
	api := New(legacyapi.Options{Now: func() time.Time {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.now
	}})
	s.System = system.Start(t, binary, s.hurried(api), append(replace, "every 10s", "every 1s", "every 1m", every)...)
	return s
}

// pass lets the time pass that banks take.
func (s *stage) pass() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(legacyapi.DefaultSettleAfter)
}

// ask sends a request through Caddy, which must be answered with a status.
func (s *stage) ask(method, path, body string, status int) gjson.Result {
	s.t.Helper()
	return gjson.Parse(strings.TrimSpace(s.Wants(s.t, Key, method, path, body, status, nil).Body))
}

// inside sends a request that does not pass Caddy.
func (s *stage) inside(method, path, body string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.Inside()+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+PlatformKey)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s: %d %v", method, path, response.StatusCode, err)
	}
}

// create makes an object with members, and returns its id.
func (s *stage) create(resource, members string) string {
	s.t.Helper()
	return s.ask("POST", "/"+resource, `{"`+resource+`":`+members+`}`, 201).Get(resource + ".id").String()
}

// pay begins to pay an item.
func (s *stage) pay(item, from string) {
	s.t.Helper()
	s.ask("PATCH", "/items/"+item+"/make_payment", `{"payment":{"from":"`+from+`"}}`, 200)
}

// register makes a callback for an object type, at a path of the receiver.
func (s *stage) register(objectType, path string) string {
	s.t.Helper()
	body := fmt.Sprintf(`{"url":%q,"object_type":%q}`, s.Receiver.URL()+path, objectType)
	return s.ask("POST", "/callbacks", body, 201).Get("callbacks.id").String()
}

// told waits until the receiver is told of an object in which paths have values.
func (s *stage) told(resource string, values ...string) system.Delivery {
	s.t.Helper()
	return s.Receiver.Await(s.t, fmt.Sprintf("%s with %q", resource, values), func(d system.Delivery) bool { return d.Path == "/"+resource && has(d.Body, resource, values) })
}

// has reports whether an object has values at its paths.
func has(body, resource string, values []string) bool {
	for i := 0; i+1 < len(values); i += 2 {
		if gjson.Get(body, resource+"."+values[i]).String() != values[i+1] {
			return false
		}
	}
	return true
}

// listed returns what a list has of which a path has a value.
func (s *stage) listed(path, resource, at, value string) []gjson.Result {
	s.t.Helper()
	var found []gjson.Result
	for _, of := range s.ask("GET", path, "", 200).Get(resource).Array() {
		if of.Get(at).String() == value {
			found = append(found, of)
		}
	}
	return found
}

var errNotYet = errors.New("it is not so yet")

// part runs a part of a test, in which nothing else happens.
func (s *stage) part(name string, story func(t *testing.T)) {
	s.t.Helper()
	whole := s.t
	defer func() { s.t = whole }()
	whole.Run(name, func(t *testing.T) {
		s.t = t
		story(t)
	})
}

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

// Callbacks are made, listed, changed and deleted as the document has it, see the README.
func TestCallbacks(t *testing.T) {
	s := newStage(t)
	body := fmt.Sprintf(`{"url":%q,"object_type":"items","description":"ERP"}`, s.Receiver.URL()+"/erp")
	var id string

	s.part("failed test", func(t *testing.T) {
		s.Receiver.Answer(func(system.Delivery) int { return http.StatusInternalServerError })
		got := s.ask("POST", "/callbacks", body, 422)
		if got.Get("errors.0.pointer").String() != "/url" || got.Get("verification.response.status").Int() != 500 || got.Get("verification.request.body").String() != testBody {
			t.Errorf("it says %s", got)
		}
		if got := s.ask("GET", "/callbacks", "", 200); got.Raw != `{"callbacks":[]}` {
			t.Errorf("it was made: %s", got)
		}
		s.Receiver.Answer(func(system.Delivery) int { return http.StatusOK })
	})
	s.part("create", func(t *testing.T) {
		made := s.ask("POST", "/callbacks", body, 201)
		id = made.Get("callbacks.id").String()
		want := fmt.Sprintf(`{"callbacks":{"id":%q,"url":%q,"object_type":"items","description":"ERP","enabled":true}}`, id, s.Receiver.URL()+"/erp")
		if made.Raw != want {
			t.Errorf("it is %s, want %s", made.Raw, want)
		}
	})
	s.part("test payload", func(t *testing.T) {
		got := s.Receiver.Got()
		if len(got) != 1 || got[0].Method != http.MethodPost || got[0].Path != "/erp" || got[0].Body != testBody || !strings.HasPrefix(got[0].Header.Get("Content-Type"), "application/json") {
			t.Errorf("the receiver got %+v", got)
		}
	})
	s.part("one for an object type", func(t *testing.T) {
		if got := s.ask("POST", "/callbacks", body, 422); got.Get("errors.0.pointer").String() != "/object_type" {
			t.Errorf("it says %s", got)
		}
		spare := s.ask("POST", "/callbacks", strings.Replace(body, `"description"`, `"enabled":false,"description"`, 1), 201).Get("callbacks.id").String()
		s.ask("PATCH", "/callbacks/"+spare, `{"enabled":true}`, 422)
		s.ask("PATCH", "/callbacks/"+id, `{"enabled":false}`, 200)
		s.ask("PATCH", "/callbacks/"+spare, `{"enabled":true}`, 200)
		s.ask("PATCH", "/callbacks/"+id, `{"enabled":true}`, 422)
		s.ask("DELETE", "/callbacks/"+spare, "", 204)
		s.ask("PATCH", "/callbacks/"+id, `{"enabled":true}`, 200)
	})
	s.part("object types", func(t *testing.T) {
		for _, unknown := range []string{"invoices", "items.changed.more", "*", ""} {
			s.ask("POST", "/callbacks", fmt.Sprintf(`{"url":%q,"object_type":%q}`, s.Receiver.URL()+"/x", unknown), 400)
		}
		for missing, body := range map[string]string{"/object_type": fmt.Sprintf(`{"url":%q,"enabled":false}`, s.Receiver.URL()+"/x"), "/url": `{"object_type":"users"}`} {
			if got := s.ask("POST", "/callbacks", body, 422).Get("errors.0.pointer").String(); got != missing {
				t.Errorf("without %s it misses %s", missing, got)
			}
		}
	})
	s.part("responses", func(t *testing.T) { responses(t, s, id) })
	s.part("update", func(t *testing.T) {
		s.ask("PATCH", "/callbacks/"+id, fmt.Sprintf(`{"url":%q}`, s.Receiver.URL()+"/moved"), 200)
		s.Receiver.Await(t, "the test at the new URL", func(d system.Delivery) bool { return d.Path == "/moved" && d.Body == testBody })
		item := s.create("items", `{"name":"Bell","amount":5}`)
		s.pay(item, "wallet")
		s.Receiver.Await(t, "the new URL", func(d system.Delivery) bool { return d.Path == "/moved" && strings.Contains(d.Body, item) })
		if got := s.ask("GET", "/callbacks/"+id, "", 200).Get("callbacks.url").String(); got != s.Receiver.URL()+"/moved" {
			t.Errorf("its URL is %s", got)
		}
	})
	s.part("who may", func(t *testing.T) {
		for _, path := range []string{"/callbacks", "/callbacks/" + id, "/callbacks/" + id + "/responses"} {
			s.Wants(t, "nobodys-key", "GET", path, "", 401, nil)
		}
	})
	s.part("delete", func(t *testing.T) {
		s.ask("DELETE", "/callbacks/"+id, "", 204)
		s.ask("GET", "/callbacks/"+id, "", 404)
		s.ask("DELETE", "/callbacks/"+id, "", 404)
		if got := s.listed("/callbacks", "callbacks", "id", id); len(got) > 0 {
			t.Errorf("it is still listed: %s", got)
		}
	})
}

// responses has a callback triggered twice, of which the receiver refuses the second at
// first, and looks for what came of it.
func responses(t *testing.T, s *stage, id string) {
	if got := s.ask("GET", "/callbacks/"+id+"/responses", "", 200).Get("callback_responses").Array(); len(got) > 0 {
		t.Fatalf("it was not triggered yet: %s", got)
	}
	first, second := s.create("items", `{"name":"Bell","amount":5}`), s.create("items", `{"name":"Horn","amount":5}`)
	s.pay(first, "wallet")
	var of gjson.Result
	await := func(object string, status int64, attempts int) {
		t.Helper()
		s.Eventually(t, "the response of "+object, 2*time.Minute, func() error {
			found := s.listed("/callbacks/"+id+"/responses", "callback_responses", "object_id", object)
			if len(found) != 1 || found[0].Get("response_code").Int() != status || len(found[0].Get("attempts").Array()) < attempts {
				output, err := s.Run(t.Context(), "webhooks", "retry", id, "--address", s.Admin())
				return fmt.Errorf("%v, after a retry: %s %w", found, output, errors.Join(err, errNotYet))
			}
			of = found[0]
			return nil
		})
	}
	await(first, 200, 1)
	s.Receiver.Answer(func(system.Delivery) int { return http.StatusBadGateway })
	s.pay(second, "wallet")
	await(second, 502, 1)
	s.Receiver.Answer(func(system.Delivery) int { return http.StatusOK })
	await(second, 200, 2)
	single := s.ask("GET", "/callbacks/"+id+"/responses/"+of.Get("id").String(), "", 200).Get("callback_responses")
	if single.Get("object_id").String() != second || single.Get("response_code").Int() != 200 || single.Get("created_at").String() == "" {
		t.Errorf("the single response is %s", single)
	}
	if got := s.ask("GET", "/callbacks/"+id+"/responses", "", 200).Get("callback_responses").Array(); len(got) != 2 {
		t.Errorf("it was triggered twice, and has %d responses: %s", len(got), got)
	}
	s.ask("GET", "/callbacks/"+id+"/responses/none", "", 404)
}

// settled waits until nothing more is to be found out about an object.
func (s *stage) settled(object string) {
	s.t.Helper()
	s.Eventually(s.t, object+" is settled", 2*time.Minute, func() error {
		var marks struct {
			Items []struct{ Object string }
		}
		err := s.Ask("/webhooks/marks", &marks)
		for _, mark := range marks.Items {
			if mark.Object == object {
				err = errNotYet
			}
		}
		return err
	})
}

// recorded waits until what the receiver has answered is recorded.
func (s *stage) recorded() {
	s.t.Helper()
	s.Eventually(s.t, "answers are recorded", 2*time.Minute, func() error {
		var deliveries struct{ Items []any }
		if err := s.Ask("/webhooks/deliveries?status=pending", &deliveries); err != nil || len(deliveries.Items) > 0 {
			return errors.Join(err, errNotYet)
		}
		return nil
	})
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
