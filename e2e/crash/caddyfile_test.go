// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"bytes"
	"strings"
	"testing"
	"text/template"
	"time"
)

// settings are the differences between the tests' Caddyfiles.
type settings struct {
	Admin, Site   string // addresses
	Queue         string // directory
	API, Receiver string // an address, and a URL
	Secret        string
	// UpstreamTimeout is how late the API may commit.
	UpstreamTimeout time.Duration
	// Updated is the type of the event on change.
	Updated string
	// Users adds a second resource.
	Users bool
	// AttemptTimeout is the time limit of an attempt.
	AttemptTimeout time.Duration
	// Resource is inserted into the block of items, Handler into that of the site,
	// Global at the end of the global webhooks block, Sites at the end of the file: they may be broken.
	Resource, Handler, Global, Sites string
}

// Retry is a schedule that outlasts every test.
func (settings) Retry() string {
	return strings.TrimSpace(strings.Repeat("100ms ", 100))
}

var caddyfileTemplate = template.Must(template.New("Caddyfile").Parse(`{
	admin {{.Admin}}
	auto_https off
	persist_config off
	log {
		exclude admin.api http.log.error
	}
	webhooks {
		queue badger {{.Queue}}
		endpoint receiver {{.Receiver}} {
			secret {{.Secret}}
			timeout {{.AttemptTimeout}}
			retry {{.Retry}}
		}
		egress {
			allow http
			allow network 127.0.0.0/8
		}
		{{.Global}}
	}
}

http://{{.Site}} {
	bind 127.0.0.1
	webhooks {
		upstream {{.API}}
		upstream_timeout {{.UpstreamTimeout}}
		{{.Handler}}
		resource items {
			version version
			event items.created on create
			event {{.Updated}} on change
			event items.deleted on delete
			{{.Resource}}
		}
		{{- if .Users}}
		resource users {
			version version
		}
		{{- end}}
	}
	reverse_proxy {{.API}}
}
{{.Sites}}
`))

func (s settings) caddyfile(t *testing.T) string {
	t.Helper()
	var text bytes.Buffer
	if err := caddyfileTemplate.Execute(&text, s); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
