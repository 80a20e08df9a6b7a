// SPDX-License-Identifier: Apache-2.0

// Command legacyapi serves the demonstration API and prints a line for each
// request, to show what reaches it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/caddy-webhooks/caddy-webhooks/examples/internal/serve"
	"github.com/caddy-webhooks/caddy-webhooks/examples/legacyapi"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "legacyapi:", err)
		os.Exit(1)
	}
}

// run serves until the context ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("legacyapi", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:9000", "the `address` to listen on")
	settle := flags.Duration("settle", legacyapi.DefaultSettleAfter, "how long a payment takes to settle")
	if err := flags.Parse(args); err != nil {
		return err
	}

	api := legacyapi.New(legacyapi.Options{SettleAfter: *settle})
	return serve.Until(ctx, *listen, serve.Logged(api, out), out)
}
