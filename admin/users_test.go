// SPDX-License-Identifier: Apache-2.0

package admin_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/factor"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/users"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

func (s *stage) user(method, target string) admin.UserView {
	s.t.Helper()
	got := s.do(method, target, "")
	var view admin.UserView
	if err := json.Unmarshal([]byte(got.body), &view); err != nil || got.status != 200 {
		s.t.Fatalf("%s: %d %s", target, got.status, got.body)
	}
	return view
}

func TestUsers(t *testing.T) {
	s, store, _ := newFilledStage(t)
	made := s.user(http.MethodPost, "/webhooks/users?name=Mara&tenant=acme&for=3d")
	left := time.Until(made.LinkEnds).Hours()
	if made.Name != "mara" || made.Tenant != "acme" || made.Operator || made.Status != "invited" || made.Code == "" || left < 71.9 || left > 72 {
		t.Errorf("made %+v", made)
	}
	operator := s.user(http.MethodPost, "/webhooks/users?name=root&operator=true")
	if !operator.Operator || operator.Tenant != "" {
		t.Errorf("made %+v", operator)
	}
	// The code sets a password, with the key of the queue.
	book := &users.Book{Store: store, Sealer: s.server.Pipeline.Keyring(), Now: time.Now}
	_, err := book.UseLink(t.Context(), made.Code, "hash", nil)
	must(t, err)
	for _, test := range []struct {
		change func(u *users.User)
		want   string
	}{
		{func(*users.User) {}, `"status":"enrolling"`},
		{func(u *users.User) { u.App = &factor.App{Secret: "JBSWY3DPEHPK3PXP"} }, `"status":"active","factors":["app"]`},
		{func(u *users.User) { u.Misses = users.MaxMisses }, `"status":"locked"`},
	} {
		_, err = book.Change(t.Context(), made.ID, func(u *users.User) error { test.change(u); return nil }, nil)
		must(t, err)
		got := s.do(http.MethodGet, "/webhooks/users?tenant=acme", "")
		if !strings.Contains(got.body, test.want) || strings.Contains(got.body, operator.ID) || strings.Contains(got.body, made.Code) || strings.Contains(got.body, "hash") || strings.Contains(got.body, "JBSW") {
			t.Errorf("listed %s", got.body)
		}
	}
	for query, want := range map[string]int{"": 2, "?operators=true": 1, "?tenant=umbrella": 0, "?limit=1": 1} {
		if got := s.do(http.MethodGet, "/webhooks/users"+query, ""); strings.Count(got.body, `"usr_`) != want {
			t.Errorf("%s lists %s", query, got.body)
		}
	}
	reset := s.user(http.MethodPost, "/webhooks/users/MARA/reset?for=1h")
	if reset.ID != made.ID || reset.Status != "invited" || reset.Code == made.Code || len(reset.Factors) != 0 {
		t.Errorf("reset %+v", reset)
	}
	for target, want := range map[string]int{
		"POST /webhooks/users": 400, "POST /webhooks/users?name=x": 400, "POST /webhooks/users?tenant=acme": 400, "POST /webhooks/users?name=&tenant=acme": 400,
		"POST /webhooks/users?name=x&tenant=acme&operator=true": 400, "POST /webhooks/users?name=x&operator=yes": 400, "POST /webhooks/users?name=a%20b&tenant=acme": 400,
		"POST /webhooks/users?name=x&tenant=acme&for=0s": 400, "POST /webhooks/users?name=x&tenant=acme&for=soon": 400, "POST /webhooks/users?name=x&tenant=acme&for=31d": 400,
		"POST /webhooks/users?name=MARA&tenant=umbrella": 409, "GET /webhooks/users?tenant=a&operators=true": 400, "GET /webhooks/users?operators=no": 400,
		"POST /webhooks/users/nobody/reset": 404, "POST /webhooks/users/mara/reset?for=-1h": 400, "DELETE /webhooks/users/nobody": 404,
	} {
		method, path, _ := strings.Cut(target, " ")
		if got := s.do(method, path, ""); got.status != want {
			t.Errorf("%s: %d %s, want %d", target, got.status, got.body, want)
		}
	}
	if got := s.do(http.MethodDelete, "/webhooks/users/mara", ""); got.status != 204 {
		t.Errorf("deleted %d %s", got.status, got.body)
	}
	if got := s.do(http.MethodDelete, "/webhooks/users/mara", ""); got.status != 404 {
		t.Errorf("deleted again %d %s", got.status, got.body)
	}
	// Whose they are can see who made and ended them.
	kept, _, err := store.RecordsOf(t.Context(), subscribers.KindAudit, "acme", queue.Page{})
	must(t, err)
	var actions []string
	for _, record := range kept {
		a, err := subscribers.AuditedOf(record)
		must(t, err)
		if a.Who != "operator" || a.Object != made.ID+" (mara)" || strings.Contains(string(record.Value), made.Code) {
			t.Errorf("noted %s", record.Value)
		}
		actions = append(actions, a.Action)
	}
	if got := strings.Join(actions, " "); got != "user.delete user.reset user.create" {
		t.Errorf("noted %s", got)
	}
}
