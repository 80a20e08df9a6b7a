// SPDX-License-Identifier: Apache-2.0

package rpcapi

import (
	"net/http"
	"testing"
)

func TestAPI(t *testing.T) {
	a := New()
	for i, tc := range []struct {
		body, want string
		status     int
	}{
		{`{"jsonrpc":"2.0","id":1,"method":"item.create","params":{"name":"Bicycle","amount":5}}`, `{"jsonrpc":"2.0","id":1,"result":{"id":"1","name":"Bicycle","state":"new","amount":5,"version":1}}`, 200},
		{`{"jsonrpc":"2.0","id":"x","method":"item.update","params":{"id":"1","state":"sold"}}`, `{"jsonrpc":"2.0","id":"x","result":{"id":"1","name":"Bicycle","state":"sold","amount":5,"version":2}}`, 200},
		{`{"jsonrpc":"2.0","id":2,"method":"item.get","params":{"id":"1"}}`, `{"jsonrpc":"2.0","id":2,"result":{"id":"1","name":"Bicycle","state":"sold","amount":5,"version":2}}`, 200},
		{`{"jsonrpc":"2.0","id":3,"method":"item.list"}`, `{"jsonrpc":"2.0","id":3,"result":[{"id":"1","name":"Bicycle","state":"sold","amount":5,"version":2}]}`, 200},
		{`{"jsonrpc":"2.0","method":"item.delete","params":{"id":"1"}}`, ``, 204},
		{`{"jsonrpc":"2.0","id":4,"method":"item.get","params":{"id":"1"}}`, `{"jsonrpc":"2.0","id":4,"error":{"code":404,"message":"there is no such item"}}`, 200},
		{`{"jsonrpc":"2.0","id":5,"method":"item.create","params":{}}`, `{"jsonrpc":"2.0","id":5,"error":{"code":-32602,"message":"an item needs a name"}}`, 200},
		{`{"jsonrpc":"2.0","id":6,"method":"nothing"}`, `{"jsonrpc":"2.0","id":6,"error":{"code":-32601,"message":"there is no method nothing"}}`, 200},
		{`{"id":7}`, `{"jsonrpc":"2.0","id":7,"error":{"code":-32600,"message":"this is no JSON-RPC 2.0"}}`, 200},
		{`{`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"this is no JSON-RPC"}}`, 200},
		{`[]`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"this is no batch of calls"}}`, 200},
		{`[{"jsonrpc":"2.0","method":"item.create","params":{"name":"a"}},{"jsonrpc":"2.0","id":8,"method":"item.delete","params":{"id":"2"}}]`, `[{"jsonrpc":"2.0","id":8,"result":{"deleted":true,"id":"2"}}]`, 200},
	} {
		if status, got := send(a, http.MethodPost, "/rpc", "application/json", tc.body); status != tc.status || got != tc.want {
			t.Errorf("Test %d: %d %s; want %d %s", i, status, got, tc.status, tc.want)
		}
	}
	sold := Item{ID: "1", Name: "Bicycle", State: "sold", Amount: 5, Version: 2}
	checkChanges(
		t, a,
		Change{Operation: "create", Item: Item{ID: "1", Name: "Bicycle", State: "new", Amount: 5, Version: 1}},
		Change{Operation: "update", Item: sold}, Change{Operation: "delete", Item: sold},
		Change{Operation: "create", Item: Item{ID: "2", Name: "a", State: "new", Version: 3}},
		Change{Operation: "delete", Item: Item{ID: "2", Name: "a", State: "new", Version: 3}},
	)
	if status, _ := send(a, http.MethodGet, "/rpc", "", ""); status != http.StatusMethodNotAllowed {
		t.Errorf("GET is answered with %d", status)
	}
}
