// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestRun starts the command on a free port, sends it a request and ends it.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-listen", "127.0.0.1:0"}, writer)
		writer.Close()
	}()

	lines := bufio.NewScanner(reader)
	if !lines.Scan() {
		t.Fatalf("it ended at once: %v", <-ended)
	}
	address, ok := strings.CutPrefix(lines.Text(), "listening on ")
	if !ok {
		t.Fatalf("it printed %q", lines.Text())
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/items/a%1bb", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	printed := make(chan string, 1)
	go func() {
		lines.Scan()
		printed <- lines.Text()
		_, _ = io.Copy(io.Discard, reader)
	}()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("status %s, want 404", response.Status)
	}
	if got := <-printed; got != "GET /items/a%1Bb 404" && got != "GET /items/a%1bb 404" {
		t.Errorf("it printed %q", got)
	}

	cancel()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestRunTellsWhatIsWrong(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, args := range [][]string{
		{"-listen", taken.Addr().String()},
		{"-settle", "soon"},
	} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}
