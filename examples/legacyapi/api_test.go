// SPDX-License-Identifier: Apache-2.0

package legacyapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/examples/legacyapi"
)

// TestConcurrentClients lets many clients change and read the same objects; the
// race detector checks them, and the last list is counted.
func TestConcurrentClients(t *testing.T) {
	server := httptest.NewServer(legacyapi.New(legacyapi.Options{SettleAfter: 1}))
	defer server.Close()

	const clients, each = 8, 20
	var group sync.WaitGroup
	for n := range clients {
		group.Go(func() {
			for i := range each {
				id := fmt.Sprintf("%d-%d", n, i)
				for _, step := range [][2]string{
					{"POST /items", `{"items":{"id":"` + id + `","name":"Bell","amount":1,"seller":{"id":"s"}}}`},
					{"PATCH /items/" + id, `{"items":{"amount":2,"seller":{"id":"t"}}}`},
					{"PATCH /items/" + id + "/make_payment", ``},
					{"GET /items", ``},
				} {
					if err := send(t, server, step[0], step[1]); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	group.Wait()
	if err := send(t, server, fmt.Sprintf("GET /items?limit=1&offset=%d", clients*each-1), ""); err != nil {
		t.Error(err)
	}
}

func send(t *testing.T, server *httptest.Server, request, body string) error {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	response, err := server.Client().Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s: %s", request, response.Status)
	}
	return nil
}

// TestZeroOptions checks that the defaults are useful.
func TestZeroOptions(t *testing.T) {
	server := httptest.NewServer(legacyapi.New(legacyapi.Options{}))
	defer server.Close()
	for range 2 { // ids differ
		if err := send(t, server, "POST /items", `{"items":{"name":"Bell","amount":1}}`); err != nil {
			t.Error(err)
		}
	}
}
