// SPDX-License-Identifier: Apache-2.0

// Command inbox prints whatever it is sent, and answers 200. It verifies nothing: it is
// to look at deliveries with, while the receiver package is to write a receiver with.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/caddy-webhooks/caddy-webhooks/examples/internal/serve"
)

// maxBody is how much of a delivery is printed, in bytes.
const maxBody = 64 << 10

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "inbox:", err)
		os.Exit(1)
	}
}

// run serves until the context ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("inbox", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:9001", "the `address` to listen on")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return serve.Until(ctx, *listen, inbox(out), out)
}

// inbox returns a handler that prints requests.
func inbox(out io.Writer) http.Handler {
	var mu sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, "it is too long", http.StatusRequestEntityTooLarge)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(out, "%s %s\n", r.Method, r.URL.EscapedPath())
		for _, name := range told(r.Header) {
			fmt.Fprintf(out, "  %s: %s\n", strings.ToLower(name), printable(r.Header.Get(name)))
		}
		fmt.Fprintf(out, "  %s\n", printable(string(body)))
	})
}

// told returns the headers that say something of the event or its sender.
func told(header http.Header) (names []string) {
	for name := range header {
		if strings.HasPrefix(name, "Webhook-") || strings.Contains(name, "Signature") || name == "Authorization" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// printable returns a text that can send no escapes to a terminal.
func printable(text string) string {
	quoted := strconv.QuoteToGraphic(text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}
