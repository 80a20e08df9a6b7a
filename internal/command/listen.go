// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/netutil"

	"github.com/caddy-webhooks/caddy-webhooks/receiver"
)

const (
	// listenAddress is where `caddy webhooks listen` listens by default.
	listenAddress = "127.0.0.1:9001"
	// secretVariable is the variable of the environment that may hold its secret.
	secretVariable = "WEBHOOK_SECRET"
	// maxSecretFile limits a file of secrets, in bytes.
	maxSecretFile = 64 << 10
	// maxListenHeader limits the headers of a request, in bytes.
	maxListenHeader = 64 << 10
	// maxListening is how many connections there may be at once, each with its payload.
	maxListening = 32
	// listenPatience is how long a request may take to come, and its answer to go.
	listenPatience = time.Minute
	// listenEnd is how long requests that are being answered may take when it ends.
	listenEnd = 5 * time.Second
)

// listenCommand returns the command that is a receiver, for those who write one.
func listenCommand() *cobra.Command {
	cmd := subcommand(&cobra.Command{
		Use: "listen", Short: "Receives webhooks, verifies and prints them, until ctrl-C", Args: cobra.NoArgs,
		Long: `
Receives webhooks here, for those who write a receiver: it verifies each delivery, prints it on a line, and answers as a
good receiver does. A line says when it came, its type, object and sequence, what happened to the object, whether the
signature is right, where the event stands among those of its object, and what was answered.

The signature is that of Standard Webhooks. Its secret is the line of a file (--secret-file; several lines are several
secrets), the value of WEBHOOK_SECRET, or --secret, which others can read in the list of processes. Without one nothing
is verified, and every line says so.

With --forward, what is verified is sent on to a program of yours, with its headers, and what that answers is
the answer; what is refused is not sent on. It asks no Caddy: the endpoint's URL must lead here, and its
egress policy must allow that. With --json each delivery is an object of JSON on a line. Headers are never printed, and
payloads only with --body.
`,
		Example: `  caddy webhooks listen --secret-file secret
  WEBHOOK_SECRET=whsec_… caddy webhooks listen --body
  caddy webhooks listen --secret-file secret --forward http://localhost:3000
  caddy webhooks listen --json | jq -r .object`,
	}, listen)
	// It hides the flag of the admin endpoint, which is not asked.
	cmd.Flags().String("address", listenAddress, "where to listen")
	cmd.Flags().String("secret", "", "secret of the endpoint, whsec_…, or the sender's public key, whpk_…")
	cmd.Flags().String("secret-file", "", "file with the secret")
	cmd.Flags().String("forward", "", "URL to send on to what is verified")
	cmd.Flags().Bool("body", false, "print the payload, too")
	return cmd
}

// listen receives webhooks until it is interrupted.
func listen(c call) error {
	ctx, stop := signal.NotifyContext(c.cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := c.without("this command asks no Caddy", "config", "adapter"); err != nil {
		return err
	}
	secrets, err := c.secrets()
	if err != nil {
		return err
	}
	l := &listener{seen: receiver.NewMemory(listenRemembers), now: time.Now, print: c.printDelivery}
	if len(secrets) > 0 {
		if l.verifier, err = receiver.NewVerifier(secrets...); err != nil {
			return fmt.Errorf("%w; copy it as it was shown when the endpoint was made", err)
		}
	}
	if text := c.String("forward"); text != "" {
		target, err := forwardURL(text)
		if err != nil {
			return err
		}
		l.forward = newForward(target)
	}
	var listens net.ListenConfig
	socket, err := listens.Listen(ctx, "tcp", c.String("address"))
	if err != nil {
		return fmt.Errorf("listening: %w; name an address of this machine that is free, as --address %s", err, listenAddress)
	}
	fmt.Fprintf(c.cmd.ErrOrStderr(), "Listening on http://%s/. Ctrl-C ends it.\n", socket.Addr())
	if l.verifier == nil {
		fmt.Fprintf(c.cmd.ErrOrStderr(), "There is no secret, so nothing is verified: anybody may have sent what is printed. "+
			"Name the endpoint's with --secret-file FILE or %s.\n", secretVariable)
	}
	return l.serve(ctx, netutil.LimitListener(socket, maxListening))
}

// secrets returns the secrets to verify with, none if there are none. Errors quote
// nothing of them.
func (c call) secrets() ([]string, error) {
	secret, file := c.String("secret"), c.String("secret-file")
	switch {
	case secret != "" && file != "":
		return nil, errors.New("--secret and --secret-file are both there; name one of them")
	case secret != "":
		return []string{secret}, nil
	case file == "":
		return strings.Fields(os.Getenv(secretVariable)), nil
	}
	opened, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading --secret-file: %w", err)
	}
	defer func() { _ = opened.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(opened, maxSecretFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading --secret-file: %w", err)
	}
	secrets := strings.Fields(string(text))
	if len(secrets) == 0 || len(text) > maxSecretFile {
		return nil, fmt.Errorf("%s is no file of secrets: it has one on each line, as whsec_…", file)
	}
	return secrets, nil
}

// forwardURL returns the URL that deliveries are sent on to.
func forwardURL(text string) (*url.URL, error) {
	// The parser's own error is left out: it repeats the URL, which may hold a token.
	target, err := url.Parse(text)
	if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		return nil, errors.New("--forward is no URL to send deliveries on to; write it whole, as http://localhost:3000/hooks")
	}
	if target.User != nil {
		return nil, errors.New("--forward holds credentials; leave them out: the delivery's own headers are sent on")
	}
	return target, nil
}

// serve answers requests until the context ends, which is no error, or nothing more can
// be printed.
func (l *listener) serve(ctx context.Context, socket net.Listener) error {
	ctx, l.fail = context.WithCancelCause(ctx)
	server := &http.Server{
		Handler: l, ReadHeaderTimeout: listenPatience, ReadTimeout: listenPatience, WriteTimeout: 2 * listenPatience,
		MaxHeaderBytes: maxListenHeader, ErrorLog: silent(),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(socket) }()
	select {
	case err := <-served:
		l.fail(nil)
		return fmt.Errorf("listening: %w", err)
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), listenEnd)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		_ = server.Close() // whoever waits for an answer sends it again
	}
	if err := context.Cause(ctx); errors.Is(err, errPrinting) {
		return err
	}
	return nil // it was told to end
}
