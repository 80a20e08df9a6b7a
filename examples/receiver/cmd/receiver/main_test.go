// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// TestRun starts the command on a free port, sends it an unsigned request and
// ends it.
func TestRun(t *testing.T) {
	for name, given := range map[string]struct {
		args        []string
		environment string
	}{
		"secret from the environment": {nil, secret},
		"secret from the arguments":   {[]string{"-secret", secret}, "whsec_?"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			reader, writer := io.Pipe()
			ended := make(chan error, 1)
			go func() {
				ended <- run(ctx, append(given.args, "-listen", "127.0.0.1:0"), given.environment, writer)
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
			go func() { _, _ = io.Copy(io.Discard, reader) }()
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusUnauthorized {
				t.Errorf("status %s, want 401", response.Status)
			}

			cancel()
			if err := <-ended; err != nil {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}

func TestRunNeedsASecret(t *testing.T) {
	err := run(t.Context(), []string{"-listen", "127.0.0.1:0"}, "", io.Discard)
	if err == nil || !strings.Contains(err.Error(), "WEBHOOK_SECRET") {
		t.Errorf("error %v, want one that names WEBHOOK_SECRET", err)
	}
}
