// SPDX-License-Identifier: Apache-2.0

package system

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// recipe is a row of the cookbook: lines, and the Caddyfile that they stand in.
var (
	recipe  = regexp.MustCompile(`^\| .* \| (.+) \| \[[a-z]+\]\(\.\./(examples/[a-z]+/Caddyfile)\) \|$`)
	snippet = regexp.MustCompile("`([^`]+)`")
)

// Each line of the cookbook stands in the Caddyfile that it leads to, and it leads to all of
// them.
func TestRecipes(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	page, err := os.ReadFile(filepath.Join(root, "docs", "recipes.md"))
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]int)
	for number, line := range strings.Split(string(page), "\n") {
		row := recipe.FindStringSubmatch(line)
		if row == nil {
			if strings.Contains(line, "/Caddyfile)") {
				t.Errorf("line %d is no recipe: %s", number+1, line)
			}
			continue
		}
		config, err := os.ReadFile(filepath.Join(root, row[2]))
		if err != nil {
			t.Fatal(err)
		}
		seen[row[2]]++
		for _, found := range snippet.FindAllStringSubmatch(row[1], -1) {
			if words := strings.ReplaceAll(found[1], `\|`, "|"); !strings.Contains(string(config), words) {
				t.Errorf("line %d: %s has no %q", number+1, row[2], words)
			}
		}
	}
	readmes, err := filepath.Glob(filepath.Join(root, "examples", "*", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, readme := range readmes {
		name := filepath.Base(filepath.Dir(readme))
		if _, err := os.Stat(filepath.Join(filepath.Dir(readme), "Caddyfile")); err == nil && seen["examples/"+name+"/Caddyfile"] < 5 {
			t.Errorf("few recipes lead to %s", name)
		}
	}
}
