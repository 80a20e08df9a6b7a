// SPDX-License-Identifier: Apache-2.0

package queryapi

import "testing"

func TestAPI(t *testing.T) {
	a := New()
	const form = "application/x-www-form-urlencoded"
	for i, tc := range []struct{ method, target, body, want string }{
		{"POST", "/api?action=create", "name=Bicycle&amount=5", `{"status":"ok","item":{"id":"1","name":"Bicycle","state":"new","amount":5,"version":1}}`},
		{"POST", "/api?action=update&id=1", "state=sold", `{"status":"ok","item":{"id":"1","name":"Bicycle","state":"sold","amount":5,"version":2}}`},
		{"POST", "/api", "action=update&id=1&name=", `{"status":"error","message":"an item needs a name"}`},
		{"GET", "/api?action=get&id=1", "", `{"status":"ok","item":{"id":"1","name":"Bicycle","state":"sold","amount":5,"version":2}}`},
		{"GET", "/api?action=list", "", `{"status":"ok","items":[{"id":"1","name":"Bicycle","state":"sold","amount":5,"version":2}]}`},
		{"GET", "/api?action=update&id=1&state=x", "", `{"status":"error","message":"update needs POST"}`},
		{"POST", "/api?action=create", "name=a&amount=x", `{"status":"error","message":"amount is no number"}`},
		{"GET", "/api?action=delete&id=1", "", `{"status":"ok"}`},
		{"POST", "/api", "action=delete&id=1", `{"status":"error","message":"there is no such item"}`},
		{"GET", "/api?action=nothing", "", `{"status":"error","message":"there is no such action"}`},
		{"POST", "/api", "%zz", `{"status":"error","message":"this is no form"}`},
	} {
		if status, got := send(a, tc.method, tc.target, form, tc.body); status != 200 || got != tc.want {
			t.Errorf("Test %d: %d %s; want %s", i, status, got, tc.want)
		}
	}
	sold := Item{ID: "1", Name: "Bicycle", State: "sold", Amount: 5, Version: 2}
	checkChanges(
		t, a,
		Change{Operation: "create", Item: Item{ID: "1", Name: "Bicycle", State: "new", Amount: 5, Version: 1}},
		Change{Operation: "update", Item: sold}, Change{Operation: "delete", Item: sold},
	)
}
