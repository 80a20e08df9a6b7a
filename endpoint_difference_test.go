// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// An endpoint that wants differences gets events only of resources that keep the
// Show before, and all of them.
func TestDifferencesNeedTheShowBefore(t *testing.T) {
	t.Setenv("GOOD_SECRET", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	const notify = "create POST /items\nnotify url request:callback"
	for _, test := range []struct {
		name, endpoint, resources string
		want                      []string
	}{
		{"kept", "endpoint erp https://a.example/ {\nsecret {env.GOOD_SECRET}\npayload patch\n}", "resource items {\nkeep show\n}", nil},
		{
			"not kept", "endpoint erp https://a.example/ {\nsecret {env.GOOD_SECRET}\npayload patch\n}", "resource items",
			[]string{"endpoint erp", "payload patch", "resource items", "`keep show`"},
		},
		{
			"kept by another", "endpoint erp https://a.example/ {\nsecret {env.GOOD_SECRET}\npayload merge\n}", "resource items {\nkeep show\n}\nresource users",
			[]string{"payload merge", "resource users"},
		},
		{
			"events of the other only", "endpoint erp https://a.example/ {\nsecret {env.GOOD_SECRET}\nevents items.*\npayload merge\n}",
			"resource items {\nkeep show\n}\nresource users", nil,
		},
		{
			"one event of it", "endpoint erp https://a.example/ {\nsecret {env.GOOD_SECRET}\nevents items.* users.created\npayload merge\n}",
			"resource items {\nkeep show\n}\nresource users",
			[]string{"resource users"},
		},
		{
			"a type that only a Show tells", "endpoint erp https://a.example/ {\nsecret {env.GOOD_SECRET}\nevents items.* users.gone\npayload merge\n}",
			"resource items {\nkeep show\n}\nresource users {\nevent users.{state} on change state\n}",
			[]string{"resource users"},
		},
		{
			"requests name receivers", "endpoint notify.items requests {\nsignature none\npayload patch\n}", "resource items {\n" + notify + "\n}",
			[]string{"endpoint notify.items", "`keep show`"},
		},
		{"requests name receivers, and it is kept", "endpoint notify.items requests {\nsignature none\npayload patch\n}", "resource items {\nkeep show\n" + notify + "\n}", nil},
		{
			"coalesced", "endpoint erp https://a.example/ {\nsecret {env.GOOD_SECRET}\npayload patch\ncoalesce\n}", "resource items {\nkeep show\n}",
			[]string{"endpoint erp", "coalesce leaves events out"},
		},
		{
			"coalesced, and named", "endpoint notify.items requests {\nsignature none\npayload merge\ncoalesce\n}", "resource items {\nkeep show\n" + notify + "\n}",
			[]string{"endpoint notify.items", "coalesce leaves events out"},
		},
		{
			"with the state before", "endpoint erp https://a.example/ {\nsecret {env.GOOD_SECRET}\npayload patch previous\n}", "resource items {\nkeep show\n}",
			[]string{"no place for previous"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			adapted, err := adapt(t, "{\nwebhooks {\nqueue badger "+t.TempDir()+"\n"+test.endpoint+"\n}\n}\n:80 {\nwebhooks {\nupstream localhost:9000\n"+test.resources+"\n}\n}\n")
			if err == nil {
				var config caddy.Config
				if err := json.Unmarshal(adapted, &config); err != nil {
					t.Fatal(err)
				}
				err = caddy.Validate(&config)
			}
			if (err != nil) != (test.want != nil) {
				t.Fatalf("got %v", err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q: %v", want, err)
				}
			}
		})
	}
}
