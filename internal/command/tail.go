// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
)

const (
	// tailWait is how long one request waits for an event.
	tailWait = 30 * time.Second
	// tailSlack is how much longer an answer may take before Caddy counts as gone.
	tailSlack = 15 * time.Second
	// tailPatience is how long it is tried to reach a Caddy that answered before, and
	// tailPause the time between two tries.
	tailPatience = 5 * time.Minute
	tailPause    = time.Second
)

// tailCommand returns the command that prints events as they happen.
func tailCommand() *cobra.Command {
	cmd := subcommand(&cobra.Command{
		Use: "tail", Short: "Prints events as they happen, until ctrl-C", Args: cobra.NoArgs,
		Long: `
Prints events as they happen, a line each: when, type, object, its sequence, tenant, and to how many endpoints it goes.
With --since it begins with those since a time. It ends with ctrl-C.

It goes on when Caddy is reloaded or started again, without leaving out an event or repeating one, and ends if Caddy
does not answer for five minutes. Where events were removed before they could be read, it says so on standard error.
With --json each event is an object of JSON on a line.
`,
		Example: `  caddy webhooks tail
  caddy webhooks tail --since 1h
  caddy webhooks tail --json | jq -r .object`,
	}, func(c call) error {
		ctx, stop := signal.NotifyContext(c.cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		t := tail{call: c, notes: c.cmd.ErrOrStderr(), patience: tailPatience, pause: tailPause}
		return t.run(ctx)
	})
	cmd.Flags().String("since", "", "begin with events committed since this time, as 2026-03-04T05:06:07Z, or 3h or 2d ago")
	return cmd
}

// tail prints the feed of all events.
type tail struct {
	call
	// notes is where it is said what happens to the connection.
	notes           io.Writer
	patience, pause time.Duration

	client client
	// after is where the feed is read from.
	after string
	// failing is when the first of the tries failed that were in vain, zero if the last
	// one was not.
	failing time.Time
}

// run prints events until the context ends, which is no error.
func (t *tail) run(ctx context.Context) error {
	var err error
	if t.client, err = t.call.client(); err != nil {
		return err
	}
	t.after = admin.FeedLatest
	if since := t.String("since"); since != "" {
		t.after = since
	}
	// The first request does not wait: it finds out from where to go on, whatever
	// happens to those that wait.
	err = t.read(ctx, 0)
	for err == nil && ctx.Err() == nil {
		if err = t.read(ctx, tailWait); err != nil {
			err = t.again(ctx, err)
		}
	}
	if ctx.Err() == nil {
		return err
	}
	return nil // it was told to end
}

// errPrinting is wrapped by the error of an output that takes no more.
var errPrinting = errors.New("printing an event")

// read prints the events of one page.
func (t *tail) read(ctx context.Context, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait+tailSlack)
	defer cancel()
	query := url.Values{"after": {t.after}}
	if wait > 0 {
		query.Set("wait", wait.String())
	}
	answer, err := t.client.openWith(ctx, http.MethodGet, "/webhooks/feed", query, nil)
	if err != nil {
		return err
	}
	defer answer.Close()
	var page struct {
		Items []json.RawMessage `json:"items"`
		Next  string            `json:"next"`
	}
	if err := decode(io.LimitReader(answer, maxAnswer), &page); err != nil {
		return err
	}
	if page.Next == "" {
		return errors.New("reading the answer: it does not say where to go on")
	}
	t.recovered()
	for _, item := range page.Items {
		if err := t.print(item); err != nil {
			return fmt.Errorf("%w: %w", errPrinting, err)
		}
	}
	t.after = page.Next
	return nil
}

// print prints one event.
func (t *tail) print(item json.RawMessage) error {
	if t.Bool("json") {
		var line bytes.Buffer
		if err := json.Compact(&line, item); err != nil {
			return err
		}
		_, err := fmt.Fprintln(t.out, line.String())
		return err
	}
	var e admin.FeedItem
	if err := decode(bytes.NewReader(item), &e); err != nil {
		return err
	}
	_, err := fmt.Fprintln(t.out, tailLine(&e))
	return err
}

// tailLine returns the line of an event. What an object of no tenant has there is a "-",
// so that the fields can be told apart.
func tailLine(e *admin.FeedItem) string {
	tenant, more := e.Tenant, ""
	if tenant == "" {
		tenant = "-"
	}
	if e.AtLeast {
		more = "at least "
	}
	return fmt.Sprintf("%s  %s  %s  #%d  %s  %s%s", e.Time.Local().Format(clockLayout), cell(e.Type), cell(e.Object), e.Sequence, cell(tenant),
		more, counted(e.Endpoints, "endpoint"))
}

// recovered notes that Caddy answers.
func (t *tail) recovered() {
	if !t.failing.IsZero() {
		fmt.Fprintln(t.notes, "Caddy answers again.")
		t.failing = time.Time{}
	}
}

// again returns nil if a request that failed is to be made again, after a pause.
func (t *tail) again(ctx context.Context, err error) error {
	refused := (*refusal)(nil)
	switch {
	case ctx.Err() != nil || errors.Is(err, errPrinting):
		return err
	case errors.As(err, &refused) && refused.status == http.StatusGone:
		// The queue may be another one, too, in which everything is new.
		fmt.Fprintf(t.notes, "Events may be missing here: %s\n", refused.reason)
		t.after = admin.FeedOldest
		return nil
	case refused != nil && refused.status == http.StatusBadRequest:
		return err
	}
	if t.failing.IsZero() {
		t.failing = time.Now()
		fmt.Fprintf(t.notes, "%v\nTrying again, for %s.\n", err, t.patience)
	}
	if time.Since(t.failing) >= t.patience {
		return err
	}
	select {
	case <-ctx.Done():
	case <-time.After(t.pause):
	}
	// The configuration may have put the admin endpoint elsewhere.
	if client, err := t.call.client(); err == nil {
		t.client.http.CloseIdleConnections()
		t.client = client
	}
	return nil
}
