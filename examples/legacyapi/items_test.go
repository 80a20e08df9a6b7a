// SPDX-License-Identifier: Apache-2.0

package legacyapi

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

const bicycle = `{"items":{"id":"42","name":"Bicycle","amount":12500,"seller":{"id":"ann"},"buyer":{"id":"bob"}}}`

func TestCreateItem(t *testing.T) {
	c := newClient(t)
	header, got := c.response("POST", "/items", bicycle, http.StatusCreated)
	if at := header.Get("Location"); at != "/items/42" {
		t.Errorf("Location is %q, want /items/42", at)
	}
	c.wants(got, map[string]string{
		"items.id":         "42",
		"items.name":       "Bicycle",
		"items.amount":     "12500",
		"items.state":      "pending",
		"items.seller.id":  "ann",
		"items.buyer.id":   "bob",
		"items.created_at": "2026-01-02T03:04:05.000000000Z",
		"items.updated_at": "2026-01-02T03:04:05.000000000Z",
	})
	if shown := c.do("GET", "/items/42", "", http.StatusOK); shown.Raw != got.Raw {
		t.Errorf("POST answered %s, GET shows %s", got.Raw, shown.Raw)
	}

	header, got = c.response("POST", "/items", `{"items":{"name":"Bell","amount":1}}`, http.StatusCreated)
	if header.Get("Location") != "/items/id-1" || got.Get("items.id").String() != "id-1" {
		t.Errorf("an item without an id got %s, Location %s", got.Raw, header.Get("Location"))
	}
}

func TestUpdateItem(t *testing.T) {
	for _, test := range []struct {
		name, method, body string
		want               map[string]string
	}{
		{
			"patch keeps what is not named", "PATCH", `{"items":{"amount":13000}}`,
			map[string]string{"items.name": "Bicycle", "items.amount": "13000", "items.seller.id": "ann"},
		},
		{
			"patch can take away", "PATCH", `{"items":{"seller":null}}`,
			map[string]string{"items.seller": "", "items.buyer.id": "bob"},
		},
		{
			"put replaces", "PUT", `{"items":{"name":"Tandem","amount":20000}}`,
			map[string]string{"items.name": "Tandem", "items.amount": "20000", "items.seller": "", "items.buyer": ""},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newClient(t)
			before := c.do("POST", "/items", bicycle, http.StatusCreated)
			got := c.do(test.method, "/items/42", test.body, http.StatusOK)
			c.wants(got, test.want)
			if shown := c.do("GET", "/items/42", "", http.StatusOK); shown.Raw != got.Raw {
				t.Errorf("%s answered %s, GET shows %s", test.method, got.Raw, shown.Raw)
			}
			// The clock has not moved, but the version must have.
			if is, was := got.Get("items.updated_at").String(), before.Get("items.updated_at").String(); is <= was {
				t.Errorf("updated_at went from %s to %s", was, is)
			}
			if got.Get("items.created_at").String() != before.Get("items.created_at").String() {
				t.Error("created_at has changed")
			}
		})
	}
}

func TestUpdatedAtNeverGoesBack(t *testing.T) {
	c := newClient(t)
	last := c.do("POST", "/items", bicycle, http.StatusCreated).Get("items.updated_at").String()
	for i, move := range []time.Duration{0, time.Nanosecond, 100 * time.Millisecond, -time.Hour, 0, 2 * time.Hour} {
		c.now = c.now.Add(move)
		body := `{"items":{"amount":` + strings.Repeat("1", i+1) + `}}`
		at := c.do("PATCH", "/items/42", body, http.StatusOK).Get("items.updated_at").String()
		if at <= last {
			t.Errorf("after the clock moved by %s, updated_at went from %s to %s", move, last, at)
		}
		last = at
	}
}

func TestRepeatedRequestChangesNothing(t *testing.T) {
	c := newClient(t)
	created := c.do("POST", "/items", bicycle, http.StatusCreated)
	for _, method := range []string{"PATCH", "PUT"} {
		c.now = c.now.Add(time.Minute)
		if got := c.do(method, "/items/42", bicycle, http.StatusOK); got.Raw != created.Raw {
			t.Errorf("%s of the same values: %s, want %s", method, got.Raw, created.Raw)
		}
	}
	// What GET returned can be sent back as it is.
	if got := c.do("PUT", "/items/42", created.Raw, http.StatusOK); got.Raw != created.Raw {
		t.Errorf("PUT of what GET shows: %s, want %s", got.Raw, created.Raw)
	}
}

func TestDeleteItem(t *testing.T) {
	c := newClient(t)
	c.do("POST", "/items", bicycle, http.StatusCreated)
	if got := c.do("DELETE", "/items/42", "", http.StatusNoContent); got.Raw != "" {
		t.Errorf("a 204 has the body %s", got.Raw)
	}
	c.do("GET", "/items/42", "", http.StatusNotFound)
	c.do("DELETE", "/items/42", "", http.StatusNotFound)
	c.wants(c.do("GET", "/items", "", http.StatusOK), map[string]string{"items.#": "0"})
}

func TestListItems(t *testing.T) {
	c := newClient(t)
	c.wants(c.do("GET", "/items", "", http.StatusOK), map[string]string{"items": "[]", "meta.total": "0"})
	for range 5 {
		c.do("POST", "/items", `{"items":{"name":"Bell","amount":1}}`, http.StatusCreated)
	}
	c.do("DELETE", "/items/id-2", "", http.StatusNoContent)
	for query, want := range map[string]string{
		"":                   `["id-1","id-3","id-4","id-5"]`,
		"?limit=2":           `["id-1","id-3"]`,
		"?limit=2&offset=3":  `["id-5"]`,
		"?offset=4":          `[]`,
		"?offset=2147483647": `[]`,
	} {
		got := c.do("GET", "/items"+query, "", http.StatusOK)
		c.wants(got, map[string]string{"items.#.id": want, "meta.total": "4"})
	}
	for _, query := range []string{"?limit=0", "?limit=201", "?limit=x", "?offset=-1", "?offset=2147483648"} {
		c.do("GET", "/items"+query, "", http.StatusUnprocessableEntity)
	}
}

func TestItemRefusals(t *testing.T) {
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		field                    string
	}{
		{"no body", "POST", "/items", ``, 400, "body"},
		{"not JSON", "POST", "/items", `{"items":`, 400, "body"},
		{"two values", "POST", "/items", bicycle + bicycle, 400, "body"},
		{"a list", "POST", "/items", `[]`, 422, "items"},
		{"not wrapped", "POST", "/items", `{"name":"Bell","amount":1}`, 422, "items"},
		{"null", "POST", "/items", `{"items":null}`, 422, "items"},
		{"wrapped text", "POST", "/items", `{"items":"Bell"}`, 422, "items"},
		{"no name", "POST", "/items", `{"items":{"amount":1}}`, 422, "name"},
		{"blank name", "POST", "/items", `{"items":{"name":" ","amount":1}}`, 422, "name"},
		{"name of another kind", "POST", "/items", `{"items":{"name":1,"amount":1}}`, 422, "name"},
		{"no amount", "POST", "/items", `{"items":{"name":"Bell"}}`, 422, "amount"},
		{"negative amount", "POST", "/items", `{"items":{"name":"Bell","amount":-1}}`, 422, "amount"},
		{"half an amount", "POST", "/items", `{"items":{"name":"Bell","amount":1.5}}`, 422, "amount"},
		{"seller without id", "POST", "/items", `{"items":{"name":"Bell","amount":1,"seller":{}}}`, 422, "seller.id"},
		{"buyer without id", "POST", "/items", `{"items":{"name":"Bell","amount":1,"buyer":{}}}`, 422, "buyer.id"},
		{"seller of another kind", "POST", "/items", `{"items":{"name":"Bell","amount":1,"seller":{"id":7}}}`, 422, "seller.id"},
		{"born complete", "POST", "/items", `{"items":{"name":"Bell","amount":1,"state":"completed"}}`, 422, "state"},
		{"id taken", "POST", "/items", bicycle, 422, "id"},
		{"id with a slash", "POST", "/items", `{"items":{"id":"a/b","name":"Bell","amount":1}}`, 422, "id"},
		{"id too long", "POST", "/items", `{"items":{"id":"` + strings.Repeat("a", 65) + `","name":"Bell","amount":1}}`, 422, "id"},
		{"too large", "POST", "/items", `{"items":{"name":"` + strings.Repeat("a", maxBody) + `"}}`, 413, "body"},
		{"unknown item", "GET", "/items/43", ``, 404, "id"},
		{"patch an unknown item", "PATCH", "/items/43", bicycle, 404, "id"},
		{"patch to nothing", "PATCH", "/items/42", `{"items":{"name":""}}`, 422, "name"},
		{"patch the id", "PATCH", "/items/42", `{"items":{"id":"43"}}`, 422, "id"},
		{"patch the state", "PATCH", "/items/42", `{"items":{"state":"completed"}}`, 422, "state"},
		{"put half an item", "PUT", "/items/42", `{"items":{"amount":2}}`, 422, "name"},
		{"method of an item", "POST", "/items/42", ``, 405, "method"},
		{"method of the list", "DELETE", "/items", ``, 405, "method"},
		{"no such path", "GET", "/nothing", ``, 404, "id"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newClient(t)
			before := c.do("POST", "/items", bicycle, http.StatusCreated)
			got := c.do(test.method, test.path, test.body, test.status)
			if !got.Get("errors").Exists() || !got.Get("errors."+strings.ReplaceAll(test.field, ".", `\.`)).Exists() {
				t.Errorf("the answer does not name %q: %s", test.field, got.Raw)
			}
			if after := c.do("GET", "/items/42", "", http.StatusOK); after.Raw != before.Raw {
				t.Errorf("a refused request changed the item: %s, was %s", after.Raw, before.Raw)
			}
			c.wants(c.do("GET", "/items", "", http.StatusOK), map[string]string{"items.#": "1"})
		})
	}
}

func TestAllowedMethods(t *testing.T) {
	c := newClient(t)
	for path, want := range map[string]string{
		"/items":              "GET, POST",
		"/items/42":           "DELETE, GET, PATCH, PUT",
		"/bank_accounts/42":   "DELETE, GET",
		"/transactions/42":    "GET",
		"/batch_transactions": "GET",
	} {
		header, _ := c.response("OPTIONS", path, "", http.StatusMethodNotAllowed)
		if got := header.Get("Allow"); got != want {
			t.Errorf("%s allows %q, want %q", path, got, want)
		}
	}
	c.do("HEAD", "/items", "", http.StatusOK)
}
