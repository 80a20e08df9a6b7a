// SPDX-License-Identifier: Apache-2.0

// Package pocketbase tests the module with an API that knows nothing of it:
// PocketBase. It serves in this process, with Caddy in front of it. The
// receiver's events are compared with what PocketBase itself shows and with its
// realtime feed.
package pocketbase

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-webhooks/caddy-webhooks"
	"github.com/caddy-webhooks/caddy-webhooks/internal/freeport"
)

// testTimeout limits a whole test. Only a failing one uses it up.
const testTimeout = 10 * time.Minute

// lab is PocketBase, Caddy in front of it, and a receiver behind.
type lab struct {
	api      *api
	proxy    string // Caddy's URL
	receiver *receiver
	client   *http.Client
}

const caddyfile = `
{
	admin off
	persist_config off
	auto_https off
	storage file_system %[1]s
	grace_period 1s
	log {
		level ERROR
	}
	webhooks {
		queue badger %[1]s/queue
		endpoint receiver %[2]s {
			secret %[3]s
		}
		egress {
			allow http
			allow network 127.0.0.0/8
		}
	}
}

%[4]s {
	bind 127.0.0.1
	webhooks {
		upstream %[5]s {
			header_up Authorization %[6]s
		}
		resource articles {
			show   GET /api/collections/articles/records/:id
			create POST /api/collections/articles/records
			update PATCH /api/collections/articles/records/:id
			delete DELETE /api/collections/articles/records/:id
			id id
			version updated
		}
		resource notes {
			show   GET /api/collections/notes/records/:id
			create POST /api/collections/notes/records
			update PATCH /api/collections/notes/records/:id
			delete DELETE /api/collections/notes/records/:id
			id id
		}
	}
	reverse_proxy %[5]s
}
`

// newLab starts everything, and stops it when the test ends.
func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{api: startAPI(t), receiver: startReceiver(t)}
	// Bodies are compared as they are on the wire.
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	l.client = &http.Client{Transport: transport}

	l.proxy = "http://" + freeport.Address(t)
	config := fmt.Sprintf(caddyfile, t.TempDir(), l.receiver.url, receiverSecret, l.proxy, l.api.addr, l.api.token)
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(config), nil)
	if err != nil {
		t.Fatalf("adapting the Caddyfile: %v", err)
	}
	if err := caddy.Load(adapted, true); err != nil {
		t.Fatalf("starting Caddy: %v", err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping Caddy: %v", err)
		}
	})
	return l
}

// deadline returns the context of a test's waits.
func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	t.Cleanup(cancel)
	return ctx
}

// answer is a response that has been read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send sends a request through Caddy, with a JSON body unless it is nil.
func (l *lab) send(ctx context.Context, method, path string, body any) (answer, error) {
	var encoded io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		encoded = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, l.proxy+path, encoded)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	return l.do(r)
}

// want is send with the expected status.
func (l *lab) want(ctx context.Context, status int, method, path string, body any) (answer, error) {
	a, err := l.send(ctx, method, path, body)
	if err == nil && a.status != status {
		err = fmt.Errorf("%s %s: %d %s, want %d", method, path, a.status, a.body, status)
	}
	return a, err
}

func (l *lab) do(r *http.Request) (answer, error) {
	response, err := l.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, body}, err
}

// show requests a record from PocketBase itself, not through Caddy.
func (l *lab) show(ctx context.Context, collection, id string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.api.url()+records(collection)+"/"+id, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Authorization", l.api.token)
	return l.do(r)
}

// records is the path of a collection's records.
func records(collection string) string {
	return "/api/collections/" + collection + "/records"
}
