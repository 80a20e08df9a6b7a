// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// The last event of an object is sent again by whoever may see it, to its own endpoints
// and the receiver that was named for the object.
func TestResendObject(t *testing.T) {
	s := newStage(t, withShape(t, "resend POST /dossiers/:dossier/processes/:id/notify 200 object=processes\nresend POST /tenants/:tenant/:id 200 object=processes", nil), func(o *Options) {
		o.Object = func(resource string, value func(string) string) (event.Key, string, error) {
			key, err := event.NewKey(resource, value("dossier")+value("tenant"), value("id"))
			return key, "notify." + resource, err
		}
	})
	acme := subscribers.Endpoint{Tenant: "acme", Status: subscribers.Active, URL: "https://a.example/"}
	umbrella := subscribers.Endpoint{Tenant: "umbrella", Status: subscribers.Active, URL: "https://u.example/"}
	book := &subscribers.Book{Store: s.store, Sealer: s.options.Sealer(), Now: s.options.Now}
	acme, err := book.Create(t.Context(), acme)
	must(t, err)
	umbrella, err = book.Create(t.Context(), umbrella)
	must(t, err)
	key, err := event.NewKey("processes", "d1", "p/7")
	must(t, err)
	for _, eventType := range []string{"processes.started", "processes.finished"} {
		s.now = s.now.Add(time.Second)
		must(t, s.store.Announce(t.Context(), event.Event{Type: eventType, Key: key, Tenant: "acme", Time: s.now, Payload: []byte(`{}`), ContentType: "application/json"},
			[]string{acme.ID, umbrella.ID, "notify.processes", "operators"}))
	}
	cancelled, _, err := s.store.Cancel(t.Context(), queue.Selection{}, queue.Page{})
	must(t, err)
	if cancelled != 8 {
		t.Fatalf("%d were cancelled", cancelled)
	}
	path := "/dossiers/d1/processes/p%2F7/notify"
	theirs, none := s.as("umbrella", "POST", path, ""), s.as("umbrella", "POST", "/dossiers/d1/processes/none/notify", "")
	if theirs.status != 404 || theirs.body != none.body || !reflect.DeepEqual(theirs.header, none.header) {
		t.Errorf("another's is %d %s, none is %d %s", theirs.status, theirs.body, none.status, none.body)
	}
	s.as("acme", "POST", "/dossiers/../processes/p/notify", "").want(t, 404)
	s.as("acme", "POST", path, "").want(t, 200, `{"changed":2}`)
	// There, a tenant is a name like others, and the object's.
	s.as("acme", "POST", "/tenants/d1/p%2F7", "").want(t, 200)
	s.as("umbrella", "POST", "/tenants/d1/p%2F7", "").want(t, 404)
	rows, _, err := s.store.Deliveries(t.Context(), queue.Filter{Status: queue.StatusPending}, queue.Page{})
	must(t, err)
	var again []string
	for i := range rows {
		again = append(again, strings.NewReplacer(acme.ID, "acme's").Replace(rows[i].Endpoint+" "+rows[i].EventType))
	}
	if got := fmt.Sprint(again); got != "[acme's processes.finished notify.processes processes.finished]" && got != "[notify.processes processes.finished acme's processes.finished]" {
		t.Errorf("sent again: %s", got)
	}
	audited, _, err := s.store.RecordsOf(t.Context(), subscribers.KindAudit, "acme", queue.Page{})
	must(t, err)
	if len(audited) == 0 || !strings.Contains(string(audited[0].Value), `"object.resend"`) || !strings.Contains(string(audited[0].Value), "processes/d1/p%2F7") {
		t.Errorf("noted %v", audited)
	}
}
