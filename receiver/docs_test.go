// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The Go code of docs/receiving.md is that of the examples, which are compiled.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/receiving.md")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	flat := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 4 {
		t.Fatalf("the page has %d blocks", len(blocks))
	}
	for _, block := range blocks {
		if !strings.Contains(flat(string(examples)), flat(block[1])) {
			t.Errorf("no example has\n%s", block[1])
		}
	}
}
