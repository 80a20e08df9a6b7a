// SPDX-License-Identifier: Apache-2.0

package graphqlapi

import "testing"

func TestAPI(t *testing.T) {
	a := New()
	for i, tc := range []struct {
		body, want string
		status     int
	}{
		{`{"query":"mutation New($n: String!, $a: Int = 3) { createItem(name: $n, amount: $a) { id name } }","operationName":"New","variables":{"n":"Bicycle","a":5}}`, `{"data":{"createItem":{"id":"1","name":"Bicycle"}}}`, 200},
		{`{"query":"mutation { sell: updateItem(id: 1, input: {state: SOLD}) { version, state } }"}`, `{"data":{"sell":{"state":"SOLD","version":2}}}`, 200},
		{`{"query":"mutation($id: ID!, $i: In!) { updateItem(id: $id, input: $i) { amount } }","variables":{"id":"1","i":{"amount":6}}}`, `{"data":{"updateItem":{"amount":6}}}`, 200},
		{`{"query":"{ item(id: \"1\") { __typename id } items { id } } # all"}`, `{"data":{"item":{"__typename":"Item","id":"1"},"items":[{"id":"1"}]}}`, 200},
		{`{"query":"query A { items { id } } query B { items { name } }","operationName":"B"}`, `{"data":{"items":[{"name":"Bicycle"}]}}`, 200},
		{`{"query":"mutation { deleteItem(id: 1) { nothing } }"}`, `{"data":{"deleteItem":null},"errors":[{"message":"an Item has no field nothing","path":["deleteItem"]}]}`, 200},
		{`{"query":"mutation { deleteItem(id: 1) { id } }"}`, `{"data":{"deleteItem":{"id":"1"}}}`, 200},
		{`{"query":"mutation { updateItem(id: 1, name: \"x\") { id } }"}`, `{"data":{"updateItem":null},"errors":[{"message":"there is no such item","path":["updateItem"]}]}`, 200},
		{`{"query":"mutation { createItem(name: 7) { id } }"}`, `{"data":{"createItem":null},"errors":[{"message":"an argument has the wrong type","path":["createItem"]}]}`, 200},
		{`{"query":"{ createItem(name: \"x\") { id } }"}`, `{"data":{"createItem":null},"errors":[{"message":"there is no field createItem","path":["createItem"]}]}`, 200},
		{`{"query":"query A { items { id } }","operationName":"B"}`, `{"data":null,"errors":[{"message":"operationName names no operation of the document"}]}`, 200},
		{`{"query":"{ items { id }"}`, `{"data":null,"errors":[{"message":"this is no GraphQL that is understood here"}]}`, 200},
		{`{`, `{"data":null,"errors":[{"message":"this is no GraphQL request"}]}`, 400},
	} {
		if status, got := send(a, "POST", "/graphql", "application/json", tc.body); status != tc.status || got != tc.want {
			t.Errorf("Test %d: %d %s; want %d %s", i, status, got, tc.status, tc.want)
		}
	}
	last := Item{ID: "1", Name: "Bicycle", State: "SOLD", Amount: 6, Version: 3}
	checkChanges(
		t, a,
		Change{Operation: "create", Item: Item{ID: "1", Name: "Bicycle", State: "new", Amount: 5, Version: 1}},
		Change{Operation: "update", Item: Item{ID: "1", Name: "Bicycle", State: "SOLD", Amount: 5, Version: 2}},
		Change{Operation: "update", Item: last}, Change{Operation: "delete", Item: last},
	)
}

func FuzzParse(f *testing.F) {
	f.Add(`mutation A($x: [Int!]! = 3) { b: c(d: {e: "f\"", g: -1, h: $x, i: null}) { j } }`)
	f.Add(`{ a { b { c { d } } } } ... # x`)
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parse(text)
		if err != nil && len(d.operations) > 0 {
			t.Errorf("%+v, %v", d, err)
		}
	})
}
