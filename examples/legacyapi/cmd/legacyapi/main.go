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
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

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

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "listening on http://%s\n", listener.Addr())

	server := &http.Server{
		Handler:           logged(legacyapi.New(legacyapi.Options{SettleAfter: *settle}), out),
		ReadHeaderTimeout: 10 * time.Second,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	// The context has ended already; requests under way get a little more time.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err = server.Shutdown(grace)
	if end := <-served; !errors.Is(end, http.ErrServerClosed) {
		return end
	}
	return err
}

// logged prints a line for each request.
func logged(next http.Handler, out io.Writer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r)
		// EscapedPath, so that no path can send escapes to the terminal.
		fmt.Fprintf(out, "%s %s %d\n", r.Method, r.URL.EscapedPath(), seen.status)
	})
}

// statusWriter records the status of a response.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets [http.ResponseController] find the server's writer.
func (w *statusWriter) Unwrap() http.ResponseWriter {
	return w.ResponseWriter
}
