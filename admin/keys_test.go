// SPDX-License-Identifier: Apache-2.0

package admin_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

func TestKeys(t *testing.T) {
	s, store, _ := newFilledStage(t)
	made := s.do(http.MethodPost, "/webhooks/keys?tenant=acme&name=ci&for=90d", "")
	var key admin.KeyView
	must(t, json.Unmarshal([]byte(made.body), &key))
	days := time.Until(key.Expires).Hours() / 24
	if made.status != 200 || !strings.HasPrefix(key.Key, "whk_") || key.Tenant != "acme" || key.Name != "ci" || days < 89.9 || days > 90 {
		t.Errorf("made %d %s", made.status, made.body)
	}
	found, err := (&subscribers.Keys{Store: store, Now: time.Now}).Find(t.Context(), key.Key)
	if err != nil || found.Tenant != "acme" {
		t.Errorf("found %+v, %v", found, err)
	}
	if got := s.do(http.MethodGet, "/webhooks/keys?tenant=acme", ""); !strings.Contains(got.body, key.ID) || strings.Contains(got.body, key.Key) {
		t.Errorf("listed %s", got.body)
	}
	if got := s.do(http.MethodGet, "/webhooks/keys?tenant=umbrella", ""); got.body != `{"items":[]}`+"\n" {
		t.Errorf("listed %s", got.body)
	}
	for target, want := range map[string]int{
		"POST /webhooks/keys": 400, "POST /webhooks/keys?tenant=": 400, "POST /webhooks/keys?tenant=a&tenant=b": 400, "POST /webhooks/keys?tenant=a&for=soon": 400,
		"POST /webhooks/keys?tenant=a&for=0s": 400, "POST /webhooks/keys?tenant=a&for=2999-01-01T00:00:00Z": 400, "POST /webhooks/keys?tenant=a&for=-1h": 400,
		"POST /webhooks/keys?tenant=a&name=%00": 400, "GET /webhooks/keys": 400, "GET /webhooks/keys?tenant=a&cursor=x": 400,
		"DELETE /webhooks/keys/" + key.ID + "?tenant=": 400, "DELETE /webhooks/keys/key_0": 404, "DELETE /webhooks/keys/" + key.ID + "?tenant=umbrella": 404, "DELETE /webhooks/keys/" + key.ID + "?tenant=acme": 204,
	} {
		method, path, _ := strings.Cut(target, " ")
		if got := s.do(method, path, ""); got.status != want {
			t.Errorf("%s: %d %s, want %d", target, got.status, got.body, want)
		}
	}
	if got := s.do(http.MethodDelete, "/webhooks/keys/"+key.ID+"?tenant=acme", ""); got.status != 404 {
		t.Errorf("again: %d", got.status)
	}
	// Whose they are can see who made and ended them.
	kept, _, err := store.RecordsOf(t.Context(), subscribers.KindAudit, "acme", queue.Page{})
	must(t, err)
	if len(kept) != 2 || !strings.Contains(string(kept[0].Value), `"key.delete"`) || !strings.Contains(string(kept[1].Value), `"who":"operator"`) {
		t.Errorf("noted %+v", kept)
	}
}

// The id of a key says whose it is: it is deleted without naming its tenant, who can
// see that.
func TestDeleteKeyByID(t *testing.T) {
	s, store, _ := newFilledStage(t)
	var ids []string
	for _, tenant := range []string{"acme", "umbrella"} {
		var key admin.KeyView
		must(t, json.Unmarshal([]byte(s.do(http.MethodPost, "/webhooks/keys?tenant="+tenant, "").body), &key))
		ids = append(ids, key.ID)
	}
	if got := s.do(http.MethodDelete, "/webhooks/keys/"+ids[1], ""); got.status != 204 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := s.do(http.MethodDelete, "/webhooks/keys/"+ids[1], ""); got.status != 404 || !strings.Contains(got.body, "there is no key") {
		t.Errorf("again: %d %s", got.status, got.body)
	}
	if got := s.do(http.MethodGet, "/webhooks/keys?tenant=acme", ""); !strings.Contains(got.body, ids[0]) {
		t.Errorf("another tenant's key is gone: %s", got.body)
	}
	for tenant, want := range map[string]int{"acme": 1, "umbrella": 2} {
		kept, _, err := store.RecordsOf(t.Context(), subscribers.KindAudit, tenant, queue.Page{})
		must(t, err)
		if len(kept) != want {
			t.Errorf("%s sees %d records, want %d", tenant, len(kept), want)
		}
	}
}
