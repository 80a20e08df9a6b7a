// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/e2e/internal/witness"
	"github.com/caddy-webhooks/caddy-webhooks/internal/freeport"
)

// widgets is the definition of the resource.
const widgets = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"widgets.example.com"},
"spec":{"group":"example.com","scope":"Namespaced","names":{"plural":"widgets","singular":"widget","kind":"Widget","listKind":"WidgetList"},
"versions":[{"name":"v1","served":true,"storage":true,"subresources":{"status":{}},"schema":{"openAPIV3Schema":{"type":"object","properties":{
"spec":{"type":"object","properties":{"size":{"type":"integer"},"color":{"type":"string"}}},
"status":{"type":"object","properties":{"phase":{"type":"string"}}}}}}}]}}`

var withServer = flag.Bool("kubernetes", false, "run against the API server of Kubernetes; its first build takes some ten minutes")

var tokenLine = regexp.MustCompile(`^[0-9a-f-]{36}$`)

// startAPI builds and starts the API server, which is a module of its own, and defines
// the resource. It returns the server's address and the administrator's token.
func startAPI(t *testing.T) (address, token string) {
	t.Helper()
	if !*withServer {
		t.Skip("the API server of Kubernetes takes ten minutes to build: `make soak` does, and `go test ./e2e/kubernetes -kubernetes`")
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	t.Cleanup(cancel)
	program := filepath.Join(dir, "apiserver")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, ".") //nolint:gosec // its own program
	build.Dir = "apiserver"
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the API server: %v\n%s", err, output)
	}
	address = freeport.Address(t)
	server := exec.CommandContext(ctx, program, "-dir", dir, "-address", address, "-etcd", freeport.Address(t), "-peer", freeport.Address(t)) //nolint:gosec // the program built above
	stop, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stop.Close()
		_ = server.Process.Kill() // what it stores is not needed any more
		_ = server.Wait()
	})
	lines := bufio.NewScanner(output)
	for token == "" && lines.Scan() {
		token = tokenLine.FindString(lines.Text())
	}
	go func() {
		for lines.Scan() { // so that it can write
		}
	}()
	site := &witness.Site{Client: http.DefaultClient}
	ask := func(method, path, body string, status int) error {
		a, err := site.Do(ctx, method, "http://"+address+path, body, "Authorization", "Bearer "+token, "Content-Type", "application/json")
		if err == nil && a.Status != status && a.Status != http.StatusConflict {
			err = fmt.Errorf("%s %s: %d %s", method, path, a.Status, a.Body)
		}
		return err
	}
	wait := witness.Within(t)
	if err := witness.Eventually(wait, func() error {
		return ask(http.MethodPost, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", widgets, http.StatusCreated)
	}); err != nil {
		t.Fatal(err)
	}
	if err := witness.Eventually(wait, func() error { return ask(http.MethodGet, all, "", http.StatusOK) }); err != nil {
		t.Fatal(err)
	}
	return address, token
}
