// SPDX-License-Identifier: Apache-2.0

// Command receiver prints the webhooks that it receives, after verifying their
// signatures.
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
	"github.com/caddy-webhooks/caddy-webhooks/examples/receiver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv("WEBHOOK_SECRET"), os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "receiver:", err)
		os.Exit(1)
	}
}

// run serves until the context ends.
func run(ctx context.Context, args []string, secretFromEnv string, out io.Writer) error {
	flags := flag.NewFlagSet("receiver", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:9001", "the `address` to listen on")
	secret := flags.String("secret", "", "what deliveries are signed with, as whsec_… (default: the variable WEBHOOK_SECRET,\n"+
		"which is better: other users of the machine can see a program's arguments)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *secret == "" {
		*secret = secretFromEnv
	}

	handler, err := receiver.New(receiver.Options{Secret: *secret, Out: out})
	if errors.Is(err, receiver.ErrNoSecret) {
		return fmt.Errorf("%w: set WEBHOOK_SECRET", err)
	}
	if err != nil {
		return err
	}
	return serve.Until(ctx, *listen, handler, out)
}
