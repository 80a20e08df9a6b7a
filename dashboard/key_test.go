// SPDX-License-Identifier: Apache-2.0

package dashboard_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func TestAnotherKey(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", erp)
	path := "/webhooks/" + id
	asked := s.get(path+"/key").want(200, "Make another key for <q>ERP</q>", `value="24h" checked`, `value="0s"`)
	etag := between(t, asked.body, `name="etag" value="`, `"`)
	made := s.post(path+"/key", "overlap", "24h", "etag", etag).want(http.StatusCreated, "Another key of ERP", "It is shown only now", "The one before it signs too, until")
	secret := between(t, made.body, `<code id="secret">`, `</code>`)
	if !strings.HasPrefix(secret, "whsec_") {
		t.Errorf("the key is %q", secret)
	}
	shown := s.get(path).want(200, "signs too, until", "!"+secret, "!whsec_")
	s.post(path+"/key", "overlap", "24h", "etag", etag).want(http.StatusPreconditionFailed)
	s.post(path+"/key", "overlap", "soon").want(http.StatusUnprocessableEntity, "Say 0s to 720h", `id="overlap-error"`, `value="24h"`)
	own := s.create("acme", `{"url":"https://own.example/","signature":"none"}`)
	s.post("/webhooks/"+own+"/key", "overlap", "0s").want(http.StatusUnprocessableEntity, "Choose a signature first")
	action := between(t, shown.body, `action="/hooks`+path+`/keys/`, `"`)
	s.post(path + "/keys/" + action).leads("/hooks" + path + "?done=revoked")
	if is := s.shown("acme", id); len(is.Secrets) != 1 {
		t.Errorf("%d keys sign", len(is.Secrets))
	}
	s.post(path + "/keys/" + s.shown("acme", id).Secrets[0].ID + "/revoke").want(http.StatusConflict)
}

// What shows or replaces a secret needs somebody who has shown that it is still them.
func TestSecretsNeedAStepUp(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", `{"label":"ERP","url":"https://erp.example/h","events":["items.*"],"signature":"none"}`)
	path := "/webhooks/" + id
	form := []string{"action", "save", "label", "ERP", "url", "https://erp.example/h", "events", "items.*", "payload", "show", "order", "object", "scheme", "standard"}
	s.gate.stepped = false
	before := func(back string) string { return "/hooks/account/again?back=" + back }
	s.get("/webhooks/new").leads(before("%2Fwebhooks%2Fnew"))
	s.get(path + "/key").leads(before("%2Fwebhooks%2F" + id + "%2Fkey"))
	s.post(path+"/key", "overlap", "0s").leads(before("%2Fwebhooks%2F" + id + "%2Fkey"))
	s.post(path + "/keys/x/revoke").leads(before("%2Fwebhooks%2F" + id))
	for name, more := range map[string][]string{
		"a new webhook's":    nil,
		"a first key":        {"signature", "signature-key"},
		"a key of their own": {"signature", "source-key", "source_key", "x"},
		"a password":         {"signature", "none", "resetting", "yes", "authentication", "none"},
	} {
		to := path + "/edit"
		if more == nil {
			to, more = "/webhooks/new", []string{"signature", "none"}
		}
		got := s.post(to, append(more, form...)...)
		if got.status != http.StatusForbidden || !strings.Contains(got.body, "confirm that it is still you") || !strings.Contains(got.body, `href="/hooks/account/again`) || !strings.Contains(got.body, `value="ERP"`) {
			t.Errorf("%s: %d %s", name, got.status, got.main())
		}
	}
	// A label needs none.
	s.post(path+"/edit", append([]string{"signature", "none", "headers", "A: 1"}, form...)...).leads("/hooks" + path + "?done=saved")
	if is := s.only("acme"); is.Signature != "none" || len(is.Secrets) != 0 {
		t.Errorf("it is %+v", is)
	}
}

func TestTestDelivery(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", erp)
	path := "/webhooks/" + id + "/test"
	s.get(path).want(200, "A sample of items.updated", "!A sample of items.created", `{"test":true}`)
	s.get(path+"?type=items.updated").want(200, `value="items.updated" selected`)
	s.post(path).want(200, "Accepted", "204 No Content in 83 ms", "webhook-id: test_1", "Copy as curl", "POST /h?token=t0ken HTTP/1.1")
	s.receivers.refuse = true
	s.post(path).want(200, "Failed", "HTTP 500", "&lt;b&gt;no&lt;/b&gt;")
	s.post(path, "type", "items.created").want(422, "There is no sample of it")
	s.post(path, "type", "no.such").want(422, "There is no such type")
	bare := s.create("acme", `{"label":"Fetched"}`)
	s.post("/webhooks/"+bare+"/test").want(422, "It has none. Give it one first.")
	// A sample is a delivery like all.
	made := make(chan reply)
	go func() { made <- s.post(path, "type", "items.updated") }()
	s.attempt(id, 200, "taken", queue.StatusDelivered)
	(<-made).want(200, "Its delivery", "Accepted", "200 OK in 12 ms", "taken", "webhook-op: test")
	s.get("/webhooks/"+id+"/deliveries").want(200, "items.<wbr>updated")
}
