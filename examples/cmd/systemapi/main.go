// SPDX-License-Identifier: Apache-2.0

// Command systemapi serves the API of one of the example systems, and prints a line for
// each request, to show what reaches it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/caddy-webhooks/caddy-webhooks/examples/assembly"
	"github.com/caddy-webhooks/caddy-webhooks/examples/assure"
	"github.com/caddy-webhooks/caddy-webhooks/examples/bond"
	"github.com/caddy-webhooks/caddy-webhooks/examples/gateway"
	"github.com/caddy-webhooks/caddy-webhooks/examples/internal/serve"
	"github.com/caddy-webhooks/caddy-webhooks/examples/legacyapi"
	"github.com/caddy-webhooks/caddy-webhooks/examples/partner"
)

// systems are the APIs, by the name of the system.
var systems = map[string]func() http.Handler{
	"assembly": func() http.Handler { return assembly.New(legacyapi.Options{}) },
	"assure":   func() http.Handler { return assure.New(assure.Options{}).Handler() },
	"bond":     func() http.Handler { return bond.New(bond.Options{}).Handler() },
	"gateway":  func() http.Handler { return gateway.New(gateway.Options{}).Handler() },
	"partner":  func() http.Handler { return partner.New(partner.Options{}).Handler() },
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "systemapi:", err)
		os.Exit(1)
	}
}

// run serves until the context ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("systemapi", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:9000", "the `address` to listen on")
	if err := flags.Parse(args); err != nil {
		return err
	}
	names := strings.Join(slices.Sorted(maps.Keys(systems)), ", ")
	if flags.NArg() != 1 {
		return fmt.Errorf("name one system: %s", names)
	}
	api, known := systems[flags.Arg(0)]
	if !known {
		return fmt.Errorf("there is no system %q; there are %s", flags.Arg(0), names)
	}
	return serve.Until(ctx, *listen, serve.Logged(api(), out), out)
}
