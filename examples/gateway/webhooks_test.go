// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/examples/internal/system"
)

// What a webhook must have, and what it can.
func TestFields(t *testing.T) {
	s := newStage(t)
	full := func(without string, value any) string {
		fields := webhook{"label": "Shop", "url": s.Receiver.URL() + "/shop", "events": []string{"transaction.sale.success"}}
		if delete(fields, without); value != nil {
			fields[without] = value
		}
		body, err := json.Marshal(fields)
		if err != nil {
			s.t.Fatal(err)
		}
		return string(body)
	}
	refused := func(body, pointer string) {
		s.t.Helper()
		got := s.request(Merchant, Passwords[Merchant], "POST", "/webhooks/endpoints", body)
		if got.Status != http.StatusUnprocessableEntity || !strings.Contains(got.Body, `"pointer":"`+pointer) {
			s.t.Errorf("%s: %d %s", body, got.Status, got.Body)
		}
	}
	s.parts.Run("label", func() {
		refused(full("label", nil), "/label")
		s.ask("POST", "/webhooks/endpoints", full("", nil), http.StatusCreated)
		listed, _ := s.ask("GET", "/webhooks/endpoints", "", http.StatusOK)["data"].([]any)
		if first, _ := listed[0].(map[string]any); len(listed) != 1 || first["label"] != "Shop" {
			s.t.Errorf("listed %v", listed)
		}
	})
	s.parts.Run("url", func() {
		refused(full("url", nil), "/url")
		s.told("/shop", "transaction.sale.success", s.sale())
	})
	s.parts.Run("events", func() {
		refused(full("events", nil), "/events")
		refused(full("events", []string{}), "/events")
		chosen, _ := s.add(Merchant, "/chosen", webhook{"events": []string{"transaction.sale.voided", "transaction.sale.adjusted"}})
		sale := s.sale()
		s.told("/shop", "transaction.sale.success", sale)
		s.ask("POST", sale+"/adjust", `{"amount":"6.00"}`, http.StatusOK)
		s.told("/chosen", "transaction.sale.adjusted", sale)
		s.ask("POST", sale+"/void", "", http.StatusOK)
		s.told("/chosen", "transaction.sale.voided", sale)
		if sent := s.sent(chosen); !slices.Equal(sent, []string{"transaction.sale.voided", "transaction.sale.adjusted"}) {
			s.t.Errorf("sent %q", sent)
		}
	})
}

func basic(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

// What the Authorization of deliveries is, and what becomes of it.
func TestAuthentication(t *testing.T) {
	s := newStage(t)
	wants := func(want string, paths ...string) {
		s.t.Helper()
		s.becomes("the Authorization "+want, func(d system.Delivery) bool {
			return d.Path == paths[0] && strings.Join(d.Header.Values("Authorization"), ",") == want
		}, paths...)
	}
	var id string
	s.parts.Run("none", func() {
		s.add(Merchant, "/none", nil)
		wants("", "/none")
	})
	s.parts.Run("basic", func() {
		var made map[string]any
		id, made = s.add(Merchant, "/basic", webhook{"auth": webhook{"scheme": "basic", "name": "hook", "credential": "s3cret"}})
		if text, _ := json.Marshal(made); strings.Contains(string(text), "s3cret") {
			s.t.Errorf("the password comes back: %s", text)
		}
		wants(basic("hook", "s3cret"), "/basic")
	})
	s.parts.Run("no other", func() {
		s.ask("POST", "/webhooks/endpoints", `{"label":"a","url":"`+s.Receiver.URL()+`","events":["*"],"auth":{"scheme":"bearer","credential":"t"}}`, http.StatusUnprocessableEntity)
	})
	s.parts.Run("keep", func() {
		s.edit(id, `{"label":"Another"}`)
		wants(basic("hook", "s3cret"), "/basic")
		// It goes with a new URL, too.
		s.edit(id, `{"url":"`+s.Receiver.URL()+`/moved"}`)
		wants(basic("hook", "s3cret"), "/moved", "/basic")
	})
	s.parts.Run("reset", func() {
		s.edit(id, `{"auth":{"scheme":"basic","name":"new","credential":"other"}}`)
		wants(basic("new", "other"), "/moved")
		// Nothing of the old one is mixed with the new one.
		s.ask("PATCH", "/webhooks/endpoints/"+id, `{"auth":{"scheme":"basic","name":"third"}}`, http.StatusUnprocessableEntity)
		s.edit(id, `{"auth":null}`)
		wants("", "/moved")
	})
}

// signed is the X-Signature that the README tells receivers to compute.
func signed(key, body string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

// isSigned reports whether deliveries are signed with a key.
func isSigned(key string) func(system.Delivery) bool {
	return func(d system.Delivery) bool { return key != "" && d.Header.Get("X-Signature") == signed(key, d.Body) }
}

func TestSignature(t *testing.T) {
	s := newStage(t)
	sale := func(path string) system.Delivery {
		got, _ := s.told(path, "transaction.sale.success", s.sale())
		return got
	}
	s.parts.Run("none", func() {
		_, made := s.add(Merchant, "/none", nil)
		got := sale("/none").Header
		if made["secret"] != nil || got.Get("X-Signature") != "" || got.Get("Webhook-Signature") != "" {
			s.t.Errorf("made %v, sent %v", made, got)
		}
	})
	s.parts.Run("signature key", func() {
		_, a := s.add(Merchant, "/a", webhook{"signature": "x-signature"})
		_, b := s.add(Merchant, "/b", webhook{"signature": "x-signature"})
		key, _ := a["secret"].(string)
		other, _ := b["secret"].(string)
		got := sale("/a")
		if signature := got.Header.Get("X-Signature"); key == "" || signature != signed(key, got.Body) {
			s.t.Errorf("X-Signature is %s with the key %s", signature, key)
		}
		if got.Header.Get("X-Signature") == signed(other, got.Body) {
			s.t.Error("two webhooks have the same key")
		}
	})
	s.parts.Run("source key", func() {
		const key, next = "source-key-of-a-till", "source-key-of-another"
		id, made := s.add(Merchant, "/source", webhook{"signature": "x-signature", "secret": key})
		got := sale("/source")
		if made["secret"] != nil || got.Header.Get("X-Signature") != signed(key, got.Body) {
			s.t.Errorf("made %v, signed %s", made, got.Header.Get("X-Signature"))
		}
		s.edit(id, `{"secret":"`+next+`"}`)
		s.becomes("signed with the next key", isSigned(next), "/source")
	})
	s.parts.Run("another key", func() {
		id, made := s.add(Merchant, "/c", webhook{"signature": "x-signature"})
		replaced := s.ask("POST", "/webhooks/endpoints/"+id+"/secrets", `{"overlap":"0s"}`, http.StatusCreated)
		key, _ := replaced["secret"].(string)
		if key == made["secret"] {
			s.t.Error("it is the same key")
		}
		s.becomes("signed with the key "+key, isSigned(key), "/c")
	})
	s.parts.Run("edit", func() {
		id, _ := s.add(Merchant, "/d", nil)
		key, _ := s.edit(id, `{"signature":"x-signature"}`)["secret"].(string)
		s.becomes("signed with the key "+key, isSigned(key), "/d")
		s.edit(id, `{"signature":"none"}`)
		s.becomes("not signed", func(d system.Delivery) bool { return d.Header.Get("X-Signature") == "" }, "/d")
	})
}

// What is edited holds for what happens from then on.
func TestEdit(t *testing.T) {
	s := newStage(t)
	s.add(Merchant, "/all", nil)
	id, _ := s.add(Merchant, "/edited", webhook{"events": []string{"transaction.sale.success"}})
	s.parts.Run("any field", func() {
		edited := s.edit(id, `{"label":"Till 2","url":"`+s.Receiver.URL()+`/second"}`)
		if edited["label"] != "Till 2" || edited["url"] != s.Receiver.URL()+"/second" {
			s.t.Errorf("edited %v", edited)
		}
		s.becomes("moved", func(d system.Delivery) bool { return d.Path == "/second" }, "/second", "/edited")
		if again := s.ask("GET", "/webhooks/endpoints/"+id, "", http.StatusOK); again["label"] != "Till 2" {
			s.t.Errorf("it is %v", again)
		}
	})
	s.parts.Run("required", func() {
		for _, fields := range []string{`{"label":null}`, `{"url":null}`, `{"events":[]}`} {
			s.ask("PATCH", "/webhooks/endpoints/"+id, fields, http.StatusUnprocessableEntity)
		}
	})
	s.parts.Run("add events", func() {
		s.edit(id, `{"events":["transaction.sale.success","transaction.sale.voided"]}`)
		sale := s.sale()
		s.told("/second", "transaction.sale.success", sale)
		s.ask("POST", sale+"/void", "", http.StatusOK)
		s.told("/second", "transaction.sale.voided", sale)
	})
	s.parts.Run("remove events", func() {
		s.edit(id, `{"events":["transaction.sale.voided"]}`)
		before := len(s.sent(id))
		sale := s.sale()
		s.told("/all", "transaction.sale.success", sale)
		s.ask("POST", sale+"/void", "", http.StatusOK)
		s.told("/second", "transaction.sale.voided", sale)
		if sent := s.sent(id); len(sent) != before+1 || sent[0] != "transaction.sale.voided" {
			s.t.Errorf("sent %q", sent)
		}
	})
}

func TestDelete(t *testing.T) {
	s := newStage(t)
	s.add(Merchant, "/all", nil)
	id, _ := s.add(Merchant, "/deleted", nil)
	s.told("/deleted", "transaction.sale.success", s.sale())
	s.ask("DELETE", "/webhooks/endpoints/"+id, "", http.StatusNoContent)
	s.ask("GET", "/webhooks/endpoints/"+id, "", http.StatusNotFound)
	sale := s.sale()
	s.told("/all", "transaction.sale.success", sale)
	listed, _ := s.ask("GET", "/webhooks/endpoints", "", http.StatusOK)["data"].([]any)
	if came := s.at("/deleted"); len(came) != 1 || len(listed) != 1 {
		t.Errorf("%q came to what was deleted; there are %v", came, listed)
	}
}

// A merchant manages and is told of what is its own.
func TestMerchants(t *testing.T) {
	s := newStage(t)
	mine, _ := s.add(Merchant, "/mine", nil)
	s.add(Other, "/theirs", nil)
	s.told("/mine", "transaction.sale.success", s.sale())
	made := s.asks(Other, "POST", "/transactions", `{"kind":"sale","amount":"7.00"}`, http.StatusCreated)
	_, e := s.told("/theirs", "transaction.sale.success", "/transactions/"+made["key"].(string))
	if e.Body.Merchant.MerchKey != Other || len(s.at("/theirs")) != 1 || len(s.at("/mine")) != 1 {
		t.Errorf("told %+v; %q and %q came", e, s.at("/mine"), s.at("/theirs"))
	}
	s.asks(Other, "GET", "/webhooks/endpoints/"+mine, "", http.StatusNotFound)
	s.asks(Other, "DELETE", "/webhooks/endpoints/"+mine, "", http.StatusNotFound)
	for _, password := range []string{"", Passwords[Other]} {
		if got := s.request(Merchant, password, "GET", "/webhooks/endpoints", ""); got.Status != http.StatusUnauthorized {
			t.Errorf("with the password %q: %d %s", password, got.Status, got.Body)
		}
	}
}

func TestReadme(t *testing.T) {
	system.CheckReadme(t, 51)
	system.CheckCaddyfile(t, binary)
	s := newStage(t)
	happens := s.Reader.Meanwhile
	s.Reader.Meanwhile = func(what string) error {
		if what == "inside" {
			s.later.Happen()
			return nil
		}
		return happens(what)
	}
	s.ReadAlong(t)
}
