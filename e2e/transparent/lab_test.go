// SPDX-License-Identifier: Apache-2.0

// Package transparent compares what a client and an API see of each other with
// the module between them and without it. One Caddy has pairs of sites that
// differ in nothing but the module; every exchange is sent through both.
package transparent

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-webhooks/caddy-webhooks"
	"github.com/caddy-webhooks/caddy-webhooks/internal/freeport"
)

// testTimeout limits every wait. Only a failing test uses it up.
const testTimeout = 2 * time.Minute

// hostname is the host of every request.
const hostname = "api.test"

// variants are what the two sites of a pair have in common.
var variants = map[string]struct {
	around string // directives outside of the module
	inside string // how the API is reached
	tls    bool
}{
	"plain":  {inside: proxyOnce},
	"reused": {inside: "reverse_proxy {api}"},
	"eager":  {inside: "reverse_proxy {api} {\nflush_interval -1\n" + transport + "}"},
	"encode": {around: "encode zstd gzip", inside: proxyOnce},
	"logged": {around: "log {\noutput discard\n}\nhandle_errors {\nrespond \"sorry, {err.status_code}\"\n}", inside: proxyOnce},
	"tls":    {inside: proxyOnce, tls: true},
	"tls with encode and log": {
		around: "encode zstd gzip\nlog {\noutput discard\n}", inside: proxyOnce, tls: true,
	},
	"intercepted": {inside: `
		intercept {
			@teapot status 418
			handle_response @teapot {
				respond "intercepted {resp.status_code}" 421
			}
			@odd status 599
			replace_status @odd 200
		}
		` + proxyOnce},
	"handled": {inside: `
		reverse_proxy {api} {
			` + transport + `
			@file header X-Accel-Redirect *
			handle_response @file {
				root {files}
				rewrite {rp.header.X-Accel-Redirect}
				method GET
				file_server
			}
			@copied header X-Copied *
			handle_response @copied {
				header X-Was-Copied yes
				copy_response 203
			}
			@failed status 503
			handle_response @failed {
				error "no more" 502
			}
		}`},
}

// transport opens a connection to the API for each request: whether an idle
// connection is found closed in time would differ from run to run. Caddy's own
// limit of a response's header, 10 MB, would take the race detector seconds.
const transport = "transport http {\nkeepalive off\nmax_response_header 64KiB\n}\n"

const proxyOnce = "reverse_proxy {api} {\n" + transport + "}"

const options = `
{
	admin off
	persist_config off
	auto_https off
	storage file_system {dir}/storage
	log {
		output discard
	}
	servers {
		protocols h1 h2
	}
	metrics
	webhooks {
		queue badger {dir}/queue
	}
}
`

const module = `
	webhooks {
		upstream {api}
		capture 64KiB
		resource items
		resource versioned {
			version v
		}
		resource called {
			show POST /rpc body "{\"method\":\"get\",\"id\":\"{id}\"}"
			update POST /rpc where request:method is set {
				touches versioned request:other
			}
			id request:id
		}
	}
`

// pair is two sites, one without the module and one with it.
type pair struct {
	bare, watched site
}

type site struct {
	addr string
	tls  bool
}

// lab is a Caddy, and the API behind it.
type lab struct {
	api   *api
	dead  string // an address that nobody listens on
	dir   string
	pairs map[string]pair
}

// newLab starts everything, and stops it when the test ends.
func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{api: startAPI(t), dir: t.TempDir(), pairs: make(map[string]pair)}
	if err := os.Mkdir(filepath.Join(l.dir, "files"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 100, 200_000} {
		name := filepath.Join(l.dir, "files", fmt.Sprintf("%d.txt", size))
		if err := os.WriteFile(name, []byte(strings.Repeat("file ", size/5)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	certificate := makeCertificate(t, l.dir)
	var config strings.Builder
	config.WriteString(options)
	free := freeAddresses(t, 2*len(variants)+1)
	l.dead = free[0]
	for name, variant := range variants {
		both := pair{
			bare:    site{addr: free[2*len(l.pairs)+1], tls: variant.tls},
			watched: site{addr: free[2*len(l.pairs)+2], tls: variant.tls},
		}
		l.pairs[name] = both
		config.WriteString(both.bare.block(certificate, variant.around, variant.inside))
		config.WriteString(both.watched.block(certificate, variant.around, module, variant.inside))
	}
	l.load(t, config.String())
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping Caddy: %v", err)
		}
	})
	return l
}

// block returns a site of a Caddyfile. Requests with X-Dead go to an address
// where nobody listens.
func (s site) block(certificate string, directives ...string) string {
	scheme, first := "http://", ""
	if s.tls {
		scheme, first = "https://", certificate
	}
	_, port, _ := net.SplitHostPort(s.addr)
	return fmt.Sprintf("%s%s:%s {\nbind 127.0.0.1\n%s\n@dead header X-Dead *\nreverse_proxy @dead {dead}\n%s\n}\n",
		scheme, hostname, port, first, strings.Join(directives, "\n"))
}

// load starts Caddy with a Caddyfile, or replaces its configuration.
func (l *lab) load(t *testing.T, config string) {
	t.Helper()
	config = strings.NewReplacer(
		"{api}", l.api.addr, "{dead}", l.dead, "{dir}", l.dir, "{files}", filepath.Join(l.dir, "files"),
	).Replace(config)
	adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(config), nil)
	if err != nil {
		t.Fatalf("adapting the Caddyfile: %v\n%s", err, config)
	}
	for _, warning := range warnings {
		if !strings.Contains(warning.Message, "not formatted") {
			t.Errorf("adapting the Caddyfile: %s", warning)
		}
	}
	if err := caddy.Load(adapted, true); err != nil {
		t.Fatalf("starting Caddy: %v", err)
	}
}

// freeAddresses returns addresses that nobody listens on. The system must not assign them
// to clients, of this package or another, before Caddy listens.
func freeAddresses(t *testing.T, count int) []string {
	t.Helper()
	addresses := make([]string, count)
	for i := range addresses {
		addresses[i] = freeport.Address(t)
	}
	return addresses
}

// makeCertificate returns the directive that gives a site a certificate.
func makeCertificate(t *testing.T, dir string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: hostname},
		DNSNames:     []string{hostname},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*pem.Block{
		"certificate.pem": {Type: "CERTIFICATE", Bytes: certificate},
		"key.pem":         {Type: "PRIVATE KEY", Bytes: private},
	}
	for name, block := range files {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("tls %s %s", filepath.Join(dir, "certificate.pem"), filepath.Join(dir, "key.pem"))
}
