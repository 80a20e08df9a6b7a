// SPDX-License-Identifier: Apache-2.0

package subscribers

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
)

const canary = "s3cr3t-canary"

// whole returns an endpoint with all that one may have.
func whole(tenant string) Endpoint {
	return Endpoint{
		Tenant: tenant, Label: "ERP", URL: "https://erp.example/h?token=" + canary, Events: []string{"items.*", "users.created"},
		Payload: "show", Signature: "standard-webhooks", Secrets: []Secret{{Text: canary}}, Rate: "10/s", Order: endpoint.OrderEndpoint,
		Auth:    &Auth{Scheme: "basic", Name: "user", Credential: canary},
		Headers: map[string]string{"X-Tenant": canary}, Metadata: map[string]string{"team": "billing"},
		Filter: "object.amount > 100", Status: Active,
	}
}

func TestCheck(t *testing.T) {
	good := whole("acme")
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	if err := (&Endpoint{Status: Paused}).Check(); err != nil {
		t.Errorf("without a URL: %v", err)
	}
	for name, test := range map[string]struct {
		change func(*Endpoint)
		want   string
	}{
		"a long label":         {func(e *Endpoint) { e.Label = strings.Repeat("x", 257) }, "/label"},
		"a label of bytes":     {func(e *Endpoint) { e.Label = "\xff" }, "/label"},
		"a label of lines":     {func(e *Endpoint) { e.Label = "a\nb" }, "/label"},
		"a tenant too long":    {func(e *Endpoint) { e.Tenant = strings.Repeat("x", 600) }, ""},
		"a relative URL":       {func(e *Endpoint) { e.URL = "/hooks" }, "/url"},
		"another scheme":       {func(e *Endpoint) { e.URL = "ftp://" + canary }, "/url"},
		"no URL at all":        {func(e *Endpoint) { e.URL = "https://a b/" + canary }, "/url"},
		"credentials":          {func(e *Endpoint) { e.URL = "https://u:" + canary + "@erp.example/" }, "/url"},
		"a fragment":           {func(e *Endpoint) { e.URL = "https://erp.example/#!/x" }, "/url"},
		"an empty fragment":    {func(e *Endpoint) { e.URL = "https://erp.example/#" }, "/url"},
		"an empty pattern":     {func(e *Endpoint) { e.Events = []string{"items.*", ""} }, "/events/1"},
		"a star in between":    {func(e *Endpoint) { e.Events = []string{"it*s.created"} }, "/events/0"},
		"many patterns":        {func(e *Endpoint) { e.Events = make([]string, maxEvents+1) }, "/events"},
		"no format":            {func(e *Endpoint) { e.Payload = "nonsense of a format" }, "/payload"},
		"no rate":              {func(e *Endpoint) { e.Rate = "fast" }, "/rate"},
		"no order":             {func(e *Endpoint) { e.Order = "random" }, "/order"},
		"no status":            {func(e *Endpoint) { e.Status = "" }, "/status"},
		"a status of ours":     {func(e *Endpoint) { e.Status = "disabled" }, "/status"},
		"many secrets":         {func(e *Endpoint) { e.Secrets = make([]Secret, 9) }, "/secret"},
		"an empty secret":      {func(e *Endpoint) { e.Secrets = append(e.Secrets, Secret{}) }, "/secret"},
		"no scheme":            {func(e *Endpoint) { e.Auth.Scheme = "digest" }, "/auth/scheme"},
		"no credential":        {func(e *Endpoint) { e.Auth.Credential = "" }, "/auth/credential"},
		"a line in it":         {func(e *Endpoint) { e.Auth.Credential = canary + "\r\nX: y" }, "/auth/credential"},
		"a colon in the user":  {func(e *Endpoint) { e.Auth.Name = "a:b" }, "/auth/name"},
		"our header for it":    {func(e *Endpoint) { e.Auth = &Auth{Scheme: "header", Name: "Webhook-Id", Credential: canary} }, "/auth/name"},
		"our header":           {func(e *Endpoint) { e.Headers = map[string]string{"webhook-signature": "v1,x"} }, "/headers/webhook-signature"},
		"a connection's":       {func(e *Endpoint) { e.Headers = map[string]string{"Host": "x"} }, "/headers/Host"},
		"a credential there":   {func(e *Endpoint) { e.Headers = map[string]string{"authorization": canary} }, "/headers/authorization"},
		"no header":            {func(e *Endpoint) { e.Headers = map[string]string{"a/b c": canary} }, "/headers/a~1b c"},
		"a line in a header":   {func(e *Endpoint) { e.Headers = map[string]string{"X-A": canary + "\r\nHost: x"} }, "/headers/X-A"},
		"a nameless metadatum": {func(e *Endpoint) { e.Metadata = map[string]string{"": "x"} }, "/metadata"},
		"a long metadatum":     {func(e *Endpoint) { e.Metadata = map[string]string{"a": strings.Repeat("x", 2000)} }, "/metadata/a"},
		"many of them": {func(e *Endpoint) {
			e.Metadata = map[string]string{}
			for i := range 40 {
				e.Metadata[fmt.Sprint(i)] = "x"
			}
		}, "/metadata"},
		"a long filter": {func(e *Endpoint) { e.Filter = strings.Repeat("x", 5000) }, "/filter"},
	} {
		e := whole("acme")
		test.change(&e)
		err := e.Check()
		var field *FieldError
		if !errors.As(err, &field) || field.Pointer != test.want || field.Detail == "" || field.Remedy == "" {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		} else if strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the error tells a secret: %v", name, err)
		}
	}
}

// Whatever an endpoint holds, checking it ends, and what passes can be stored.
func FuzzCheck(f *testing.F) {
	f.Add("ERP", "https://erp.example/", "items.*", "10/s", "X-A", "b", "bearer")
	f.Fuzz(func(t *testing.T, label, url, pattern, rate, name, value, scheme string) {
		e := Endpoint{
			ID: "ep_1", Tenant: "acme", Label: label, URL: url, Events: []string{pattern}, Rate: rate, Status: Active,
			Headers: map[string]string{name: value}, Auth: &Auth{Scheme: scheme, Name: name, Credential: value},
		}
		if e.Check() != nil {
			return
		}
		kept, err := record(&e, plain{})
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := opened(kept, plain{})
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("got %+v and %v, want %+v", got, err, e)
		}
	})
}
