// SPDX-License-Identifier: Apache-2.0

// Command demo starts the three programs of the demonstration: the legacy API,
// the receiver, and Caddy between them. It ends them all when it is ended or
// when one of them dies. It starts what `make run` has built before.
package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// secretVariable is the variable with the secret that the receiver and Caddy
// share.
const secretVariable = "WEBHOOK_SECRET"

// startTimeout is how long the programs may take until they answer.
const startTimeout = 60 * time.Second

func main() {
	bin := flag.String("bin", "bin", "the `directory` of the built programs")
	config := flag.String("config", "Caddyfile.example", "the Caddyfile")
	system := flag.String("system", "", "one of the example `systems`, in place of the demonstration: the name of its directory")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := demonstrate(ctx, *bin, *config, *system, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func demonstrate(ctx context.Context, bin, config, system string, out io.Writer) error {
	client := &http.Client{Timeout: time.Second}
	secret := os.Getenv(secretVariable)
	if secret == "" {
		secret = newSecret()
	}
	programs, hello := stages(bin, config, secret), greeting(time.Now())
	if system != "" {
		programs, hello = systemStages(bin, system), systemGreeting(system)
	}
	group := &group{
		stages: programs,
		out:    &prefixer{out: out},
		probe: func(ctx context.Context, url string) error {
			return probe(ctx, client, url)
		},
		startTimeout: startTimeout,
		stopTimeout:  15 * time.Second,
	}
	return group.run(ctx, func() { fmt.Fprint(out, hello) })
}

// stages are the programs, in the order in which they start; they end in
// reverse order. Caddy starts last and ends first, so that the receiver is
// there whenever Caddy runs.
func stages(bin, config, secret string) [][]program {
	environment := append(os.Environ(), secretVariable+"="+secret)
	return [][]program{
		{
			{
				name: "legacyapi",
				path: programPath(bin, "legacyapi"), args: []string{"-listen", "127.0.0.1:9000"},
				ports: []string{"127.0.0.1:9000"},
				ready: []string{"http://127.0.0.1:9000/items"},
			},
			{
				name: "receiver",
				path: programPath(bin, "receiver"), args: []string{"-listen", "127.0.0.1:9001"}, env: environment,
				ports: []string{"127.0.0.1:9001"},
				ready: []string{"http://127.0.0.1:9001/"},
			},
		},
		{caddyProgram(bin, config, environment, "http://localhost:8080/items")},
	}
}

// programPath returns where a built program is.
func programPath(bin, name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(bin, name)
}

// caddyProgram is Caddy, which is ready when it answers a URL of the API's.
func caddyProgram(bin, config string, environment []string, url string) program {
	return program{
		name: "caddy",
		path: programPath(bin, "caddy"), args: []string{"run", "--config", config, "--adapter", "caddyfile"}, env: environment,
		ports: []string{"localhost:8080", "localhost:2019"},
		ready: []string{"http://localhost:2019/config/", url},
	}
}

// probe requests any answer at all from a program.
func probe(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	return errors.Join(response.Body.Close())
}

// newSecret makes a secret for this run: 32 random bytes, in the format of
// Standard Webhooks.
func newSecret() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(key)
}

// greeting says what to try. The item's id is new in each run, because the API
// forgets its items when it ends and the queue does not.
func greeting(now time.Time) string {
	id := "bicycle-" + now.Format("150405")
	return fmt.Sprintf(`
ready: Caddy on http://localhost:8080 passes requests to the legacy API on port 9000,
and sends an event for each change to the receiver on port 9001. In another terminal, try:

  curl -i -H 'Content-Type: application/json' -d '{"items":{"id":"%[1]s","name":"Bicycle","amount":12500}}' http://localhost:8080/items

  curl -i -X PATCH http://localhost:8080/items/%[1]s/make_payment

The receiver prints here what it gets. Ctrl-C ends everything.

`, id)
}
