// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// systemStages are the programs of an example system: its API, a receiver that prints
// what it gets, and Caddy with the system's Caddyfile.
func systemStages(bin, system string) [][]program {
	// With it, the APIs show everything: it is what Caddy reads objects with.
	environment := append(os.Environ(), strings.ToUpper(system)+"_PLATFORM_KEY=platform-key")
	return [][]program{
		{
			{
				name: "api",
				path: programPath(bin, "systemapi"), args: []string{"-listen", "127.0.0.1:9000", system},
				ports: []string{"127.0.0.1:9000"},
				ready: []string{"http://127.0.0.1:9000/"},
			},
			{
				name: "inbox",
				path: programPath(bin, "inbox"), args: []string{"-listen", "127.0.0.1:9001"},
				ports: []string{"127.0.0.1:9001"},
				ready: []string{"http://127.0.0.1:9001/"},
			},
		},
		{caddyProgram(bin, filepath.Join("examples", system, "Caddyfile"), environment, "http://localhost:8080/")},
	}
}

func systemGreeting(system string) string {
	return fmt.Sprintf(`
ready: Caddy on http://localhost:8080 passes requests to the API on port 9000, and sends
events to the receiver on port 9001, which prints here what it gets. In another terminal,
try what stands in examples/%s/README.md. Ctrl-C ends everything.

`, system)
}
