// SPDX-License-Identifier: Apache-2.0

//go:build linux

package strangers

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const tenants = `endpoint a INBOX/tenant-a {
			tenant a
			payload standard
			secret whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
		}
		endpoint b INBOX/tenant-b {
			tenant b
			payload standard
			secret whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
		}`

// A tenant's endpoint gets what the tenant owns, whatever an operator asks to be sent.
func TestTenants(t *testing.T) {
	t.Parallel()
	objects, inbox := newObjects(), newInbox(t, nil)
	s := newSite(t, objects, inbox, parts{
		global: strings.ReplaceAll(tenants, "INBOX", inbox.URL),
		rules:  "resource items {\n tenant owner\n keep show\n }",
	})
	s.Start(t)
	show := func(id int, owner string) string {
		return fmt.Sprintf(`{"id":"%d","owner":%q,"secret":"of-%s"}`, id, owner, owner)
	}
	owners := []string{"a", "b", "c", ""}
	for i := range 40 {
		s.do(t, "POST", "/items", show(i+1, owners[i%4]), http.StatusCreated)
	}
	// One is handed over, with all that it was, once it has been told as it was.
	s.settled(t)
	s.do(t, "PUT", "/items/1", show(1, "b"), http.StatusNoContent)
	s.settled(t)
	for _, args := range [][]string{
		{"replay", "b", "--yes"},
		{"replay", "a", "--yes", "--since", "1h"},
		{"replay", "a", "--yes", "--object", "items/2"},
		{"recover", "--endpoint", "a", "--yes", "--since", "1h"},
	} {
		output := s.command(t, args...)
		t.Logf("%s: %s", strings.Join(args, " "), strings.TrimSpace(output))
	}
	var list struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
	}
	if err := s.Ask("/webhooks/events?limit=1000", &list); err != nil || len(list.Items) != 41 {
		t.Fatalf("%d events, %v", len(list.Items), err)
	}
	for i, item := range list.Items {
		args := []string{"resend", item.ID, "--yes"}
		if i%2 == 0 {
			args = append(args, "--endpoint", []string{"a", "b"}[i/2%2])
		}
		// What an endpoint may not have is refused.
		_, _ = s.Run(t.Context(), append(append([]string{"webhooks"}, args...), "--address", s.Admin())...)
	}
	s.settled(t)
	for owner, others := range map[string][]string{"a": {"of-b", "of-c", `"of-"`}, "b": {"of-a", "of-c", `"of-"`}} {
		got := inbox.got("/tenant-" + owner)
		if len(got) < 10 {
			t.Errorf("%s got %d deliveries, it owns more", owner, len(got))
		}
		for _, a := range got {
			for _, other := range others {
				if strings.Contains(a.body, other) {
					t.Errorf("%s got %s of %s: %s", owner, a.header.Get("Webhook-Event"), a.header.Get("Webhook-Object"), a.body)
				}
			}
		}
	}
	s.Stop(t)
}

// What a delivery says in its headers is covered by its signature, and a receiver
// notices what has been changed.
func TestClaims(t *testing.T) {
	t.Parallel()
	inbox := newInbox(t, nil)
	s := newSite(t, newObjects(), inbox, parts{rules: "resource items"})
	s.Start(t)
	s.do(t, "POST", "/items", `{"n":1}`, http.StatusCreated)
	s.told(t, "/all", "items/1", "items.created") // a change before that would be told with it
	s.do(t, "PUT", "/items/1", `{"n":2}`, http.StatusNoContent)
	s.told(t, "/all", "items/1", "items.created", "items.updated")
	s.do(t, "DELETE", "/items/1", "", http.StatusNoContent)
	s.told(t, "/all", "items/1", "items.created", "items.updated", "items.deleted")
	library, err := standardwebhooks.NewWebhook("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range inbox.got("/all") {
		if err := library.Verify([]byte(a.body), a.header); err != nil {
			t.Errorf("%s: %v", a.header.Get("Webhook-Event"), err)
		}
		if !claims(a.header) {
			t.Errorf("%s: the id does not hold what the headers say: %v", a.header.Get("Webhook-Event"), a.header)
		}
		for name, forged := range map[string]string{
			"Webhook-Event": "items.paid", "Webhook-Object": "items/2", "Webhook-Sequence": "99", "Webhook-Op": "purge", "Webhook-Freshness": "etag", "Webhook-Changed": "n",
		} {
			changed := a.header.Clone()
			changed.Set(name, forged)
			if claims(changed) && library.Verify([]byte(a.body), changed) == nil {
				t.Errorf("%s: another %s goes unnoticed", a.header.Get("Webhook-Event"), name)
			}
		}
	}
	s.Stop(t)
}

// claims compares as docs/signatures.md tells receivers to.
func claims(header http.Header) bool {
	id := header.Get("Webhook-Id")
	at := strings.LastIndexByte(id, '_')
	text := id[:at]
	for _, name := range []string{"Event", "Object", "Sequence", "Op", "Freshness", "Changed"} {
		text += "\n" + header.Get("Webhook-"+name)
	}
	sum := sha256.Sum256([]byte(text))
	encoding := base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)
	return id[at+1:] == encoding.EncodeToString(sum[:])[:26]
}

// A tenant's receiver that hangs, or refuses everything, costs nobody else.
func TestTenantThatHangs(t *testing.T) {
	t.Parallel()
	objects := newObjects()
	inbox := newInbox(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/tenant-a" {
			<-r.Context().Done()
			return true
		}
		return false
	})
	s := newSite(t, objects, inbox, parts{
		global: strings.ReplaceAll(tenants, "INBOX", inbox.URL),
		rules:  "resource items {\n tenant owner\n }",
	})
	s.Start(t)
	for i := range 300 {
		show, err := json.Marshal(map[string]string{"owner": []string{"a", "b"}[i%2]})
		if err != nil {
			t.Fatal(err)
		}
		s.do(t, "POST", "/items", string(show), http.StatusCreated)
	}
	s.Eventually(t, "the other tenant has all of its own", time.Minute, func() error {
		if got := len(inbox.got("/tenant-b")); got != 150 {
			return fmt.Errorf("it has %d", got)
		}
		return nil
	})
	s.healthy(t)
	s.Kill()
}
