// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// runCommand runs `caddy webhooks ARGS` against an admin endpoint, and returns
// what it prints.
func runCommand(t *testing.T, admin *httptest.Server, args ...string) (string, error) {
	t.Helper()
	return runAgainst(t, admin.Listener.Addr().String(), args...)
}

func runAgainst(t *testing.T, address string, args ...string) (string, error) {
	t.Helper()
	root := &cobra.Command{Use: "webhooks", SilenceErrors: true, SilenceUsage: true}
	setupCommand(root)
	root.SetArgs(append(args, "--address", address))

	// The command prints where commands print; a pipe stands in for it.
	stdout := os.Stdout
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout = writer
	defer func() { os.Stdout = stdout }()
	printed := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(reader)
		printed <- string(text)
	}()
	err = root.Execute()
	writer.Close()
	return <-printed, err
}

func TestCommand(t *testing.T) {
	asked := make(chan string, 10)
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.RequestURI()
		switch {
		case strings.HasPrefix(r.URL.Path, "/webhooks/events/"):
			_, _ = io.WriteString(w, `{"id":"evt_1","payload":{"n":9007199254740993}}`)
		case r.URL.Query().Get("limit") == "7":
			http.Error(w, `{"error":"limit is too odd"}`, http.StatusBadRequest)
		case r.URL.Path == "/webhooks/deliveries":
			_, _ = io.WriteString(w, `{"items":[{"event_id":"evt_1","event_type":"items.updated","object":"items/1","endpoint":"erp",`+
				`"status":"pending","attempts":2,"created_at":"2026-01-02T03:04:05.678Z","sequence":9007199254740993}],"next":"abc"}`)
		default:
			_, _ = io.WriteString(w, `{"items":[]}`)
		}
	}))
	defer admin.Close()

	printed, err := runCommand(t, admin, "deliveries", "--endpoint", "erp", "--status", "pending", "--limit", "3")
	if err != nil {
		t.Fatal(err)
	}
	if uri := <-asked; uri != "/webhooks/deliveries?endpoint=erp&limit=3&status=pending" {
		t.Errorf("asked for %s", uri)
	}
	for _, want := range []string{"STATUS", "evt_1", "items/1", "erp", "pending", "more: caddy webhooks deliveries --cursor abc"} {
		if !strings.Contains(printed, want) {
			t.Errorf("deliveries do not show %q:\n%s", want, printed)
		}
	}

	printed, err = runCommand(t, admin, "events", "evt_1")
	if uri := <-asked; err != nil || uri != "/webhooks/events/evt_1" || !strings.Contains(printed, "9007199254740993") {
		t.Errorf("asked for %s, got %v:\n%s", uri, err, printed)
	}
	printed, err = runCommand(t, admin, "unresolved", "--json")
	if uri := <-asked; err != nil || uri != "/webhooks/unresolved" || !strings.Contains(printed, `"items": []`) {
		t.Errorf("asked for %s, got %v:\n%s", uri, err, printed)
	}
	if _, err = runCommand(t, admin, "events", "--limit", "7"); err == nil || !strings.Contains(err.Error(), "limit is too odd") {
		t.Errorf("a refusal is shown as %v", err)
	}
	if _, err = runCommand(t, admin, "events", "--colour", "red"); err == nil {
		t.Error("an unknown flag is accepted")
	}
}

// Every view prints what it is given, and nothing that is missing breaks it.
func TestCommandTables(t *testing.T) {
	for _, view := range commandViews {
		if view.headings == nil {
			continue
		}
		var out bytes.Buffer
		if err := view.table(&out, []byte(`{"items":[{}]}`)); err != nil {
			t.Errorf("%s: %v", view.name, err)
		}
		if columns := len(view.row(map[string]any{})); columns != len(view.headings) {
			t.Errorf("%s: %d headings for %d columns", view.name, len(view.headings), columns)
		}
		if err := view.table(&out, []byte(`<html>`)); err == nil {
			t.Errorf("%s: shows what is not JSON", view.name)
		}
	}
}
