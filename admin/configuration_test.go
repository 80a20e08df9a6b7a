// SPDX-License-Identifier: Apache-2.0

package admin_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
)

// hushed is a configuration in which each secret has "hush" in it.
const hushed = `{
	"webhooks": {
		"queue": {"queue": "badger", "dir": "/var/lib/queue", "dsn": "postgres://hush"}, "secrets_keys": ["hush", "{file./run/key}"], "retention": 3600000000000, "retention_size": 5,
		"endpoints": [{
			"name": "erp", "url": "https://hush:hush@erp.example/hush?hush", "secrets": ["whsec_hush", "{env.ERP}", "hush {env.ERP}"], "events": ["items.*"], "filter": "x == 'hush'",
			"auth": {"basic": {"user": "hush", "password": "hush"}, "bearer": "hush", "headers": {"X-Key": "hush"}, "oauth2": {"token_url": "https://id.example/hush", "client_secret": "hush", "scopes": ["a"], "params": {"name2": "hush"}}},
			"tls": {"client_key": "hush"}, "no_signature": true, "tomorrow": "hush"
		}],
		"egress": {"proxy": "http://hush@proxy", "allow_http": true},
		"subscribers": {"types": [{"pattern": "items.*", "sample": {"name": "hush"}, "schema": {"description": "hush"}}]}
	},
	"handlers": [{
		"upstream": {"handler": "reverse_proxy", "upstreams": [{"dial": "127.0.0.1:9000"}, {"dial": "hush@x"}], "headers": {"request": {"set": {"Authorization": ["hush"], "name": ["hush"]}}}},
		"resources": [{"name": "items", "show": {"path": "/items/:id?key=hush", "header": {"X-Api-Key": "hush"}, "body": "hush"},
			"rules": [{"path": "/items/:id", "methods": ["PUT"], "match": [{"header": {"name": ["hush"]}}], "where": [{"value": "hush", "is": ["hush"]}], "within": 90000000000}]}]
	}]
}`

// What is configured is shown by a list of what may be: a secret is shown nowhere, and
// neither is what nobody has thought of.
func TestConfiguration(t *testing.T) {
	s, _, _ := newFilledStage(t)
	s.server.Configuration = func() (json.RawMessage, error) { return json.RawMessage(hushed), nil }
	got := s.do("GET", "/webhooks/configuration", "")
	if got.status != http.StatusOK || strings.Contains(got.body, "hush") {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if missing, ok := contains(got.body,
		`"dir":"/var/lib/queue"`, `"dsn":"(not shown)"`, `"secrets_keys":["(not shown)","{file./run/key}"]`, `"retention":"1h0m0s"`, `"retention_size":5`, `"events":["items.*"]`,
		`"url":"https://erp.example/(not shown)"`, `"secrets":["(not shown)","{env.ERP}","(not shown)"]`, `"token_url":"https://id.example/(not shown)"`, `"X-Key":"(not shown)"`,
		`"no_signature":true`, `"tomorrow":"(not shown)"`, `"sample":"(not shown)"`, `"upstream":{"dial":["127.0.0.1:9000"],"others":"(not shown)"}`, `"path":"/items/:id?(not shown)"`,
		`"methods":["PUT"]`, `"within":"1m30s"`, `"match":"(not shown)"`, `"path":"/items/:id"`,
	); !ok {
		t.Errorf("it lacks %s: %s", missing, got.body)
	}
	s.server.Configuration = func() (json.RawMessage, error) { return nil, errors.New("no") }
	if got := s.do("GET", "/webhooks/configuration", ""); got.status != http.StatusInternalServerError {
		t.Errorf("%d %s", got.status, got.body)
	}
	s.server.Configuration = nil
	if got := s.do("GET", "/webhooks/configuration", ""); got.status != http.StatusNotFound {
		t.Errorf("%d %s", got.status, got.body)
	}
}
