// SPDX-License-Identifier: Apache-2.0

package assembly

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/examples/internal/system"
)

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
