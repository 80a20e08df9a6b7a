// SPDX-License-Identifier: Apache-2.0

package command

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// TestCommandVerbs counts first, acts only when that is confirmed, and goes on
// until there is no next page.
func TestCommandVerbs(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
		answer := `{"name":"erp","status":"paused"}`
		switch {
		case strings.HasPrefix(r.URL.Path, "/webhooks/endpoints/"):
		case r.URL.Query().Get("event") == "nothing":
			answer = `{"count":0}`
		case r.Method == http.MethodGet:
			answer = `{"count":1500}`
		case r.URL.Query().Get("cursor") == "":
			answer = `{"changed":1000,"next":"abc"}`
		case r.URL.Query().Get("cursor") == "abc":
			answer = `{"changed":500}`
		}
		_, _ = io.WriteString(w, answer)
	}))
	defer admin.Close()
	for _, test := range []struct {
		args    string
		Request []string
		printed string
		err     string
	}{
		{"recover --since 3h --endpoint erp", []string{"GET /webhooks/recover?endpoint=erp&since=3h"}, "", "1500 deliveries will be sent again. But nothing was done; confirm with --yes"},
		{
			"recover --since 3h --yes",
			[]string{"GET /webhooks/recover?since=3h", "POST /webhooks/recover?since=3h", "POST /webhooks/recover?cursor=abc&since=3h"},
			"1500 deliveries sent again.\n", "",
		},
		{"resend nothing -y", []string{"GET /webhooks/resend?event=nothing"}, "There is nothing to do.\n", ""},
		{
			"replay erp --type items.paid --json -y",
			[]string{"GET /webhooks/replay?endpoint=erp&type=items.paid", "POST /webhooks/replay?endpoint=erp&type=items.paid", "POST /webhooks/replay?cursor=abc&endpoint=erp&type=items.paid"},
			"{\n  \"changed\": 1500\n}\n", "",
		},
		{"cancel --object items/1", []string{"GET /webhooks/cancel?object=items%2F1"}, "", "will be given up"},
		{"pause erp --reason moving", []string{`POST /webhooks/endpoints/erp/pause {"reason":"moving"}`}, "Endpoint erp is paused.\n", ""},
		{"resume erp", []string{"POST /webhooks/endpoints/erp/resume null"}, "Endpoint erp is paused.\n", ""},
		{"resend", nil, "", "accepts 1 arg"},
		{"cancel everything", nil, "", "unknown command"},
	} {
		asked = nil
		printed, err := runCommand(t, admin, strings.Fields(test.args)...)
		if printed != test.printed {
			t.Errorf("%s: printed %q", test.args, printed)
		}
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v, want %q", test.args, err, test.err)
		}
		if strings.Join(asked, "\n") != strings.Join(test.Request, "\n") {
			t.Errorf("%s: asked %q", test.args, asked)
		}
	}
}
