// SPDX-License-Identifier: Apache-2.0

package system

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// tableHead begins the table of a README that tells what the document says, and which
// test shows it.
const tableHead = "| the document | here | test |"

// namedTest finds a test in the last cell of a row, with one of its parts.
var namedTest = regexp.MustCompile("`(Test[A-Za-z0-9_]*(?:/[a-z0-9_]+)?)`")

// CheckReadme reports the rows of the README's table that name no test, or one that there
// is not.
func CheckReadme(t *testing.T, rows int) {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := testsHere(t)
	found := 0
	for i, line := range tableOf(string(text)) {
		found++
		cells := strings.Split(strings.Trim(line, "|"), "|")
		named := namedTest.FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(cells) != 3 || len(named) == 0 {
			t.Errorf("row %d names no test, or has not three cells: %s", i+1, line)
		}
		for _, name := range named {
			if !tests[name[1]] {
				t.Errorf("row %d: there is no test %s", i+1, name[1])
			}
		}
	}
	if found < rows {
		t.Errorf("the table has %d rows, fewer than the %d of before", found, rows)
	}
}

// tableOf returns the rows of the table.
func tableOf(text string) []string {
	_, after, _ := strings.Cut(text, tableHead+"\n")
	var rows []string
	for line := range strings.Lines(after) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			break
		}
		if !strings.HasPrefix(line, "|---") {
			rows = append(rows, line)
		}
	}
	return rows
}

// testsHere returns the tests of the directory, and the parts of each that are run by a
// name that stands in the code.
func testsHere(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	tests := make(map[string]bool)
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declared := range parsed.Decls {
			function, isFunction := declared.(*ast.FuncDecl)
			if !isFunction || !strings.HasPrefix(function.Name.Name, "Test") {
				continue
			}
			tests[function.Name.Name] = true
			ast.Inspect(function, func(n ast.Node) bool {
				if part, isPart := partOf(n); isPart {
					tests[function.Name.Name+"/"+part] = true
				}
				return true
			})
		}
	}
	return tests
}

// partOf returns the name of a part of a test, as t.Run("of a charge", …) has it, or part
// in its place.
func partOf(n ast.Node) (string, bool) {
	call, isCall := n.(*ast.CallExpr)
	if !isCall || len(call.Args) != 2 {
		return "", false
	}
	method, isMethod := call.Fun.(*ast.SelectorExpr)
	text, isText := call.Args[0].(*ast.BasicLit)
	if !isMethod || method.Sel.Name != "Run" && method.Sel.Name != "part" || !isText || text.Kind != token.STRING {
		return "", false
	}
	part, err := strconv.Unquote(text.Value)
	return strings.ReplaceAll(part, " ", "_"), err == nil
}

// maxLines is how long a Caddyfile may be that is to be read as an example.
const maxLines = 125

// CheckCaddyfile reports a Caddyfile that is too long, is not formatted, or has a
// warning.
func CheckCaddyfile(t *testing.T, binary string) {
	t.Helper()
	text, err := os.ReadFile("Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(text), "\n"); lines > maxLines {
		t.Errorf("the Caddyfile has %d lines, more than %d", lines, maxLines)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if output, err := exec.CommandContext(ctx, binary, "fmt", "--diff", "Caddyfile").CombinedOutput(); err != nil {
		t.Errorf("caddy fmt: %v\n%s", err, output)
	}
	adapted := exec.CommandContext(ctx, binary, "adapt", "--config", "Caddyfile", "--validate")
	home := t.TempDir()
	adapted.Env = append(os.Environ(), "HOME="+home, "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home)
	var warnings strings.Builder
	adapted.Stderr = &warnings
	if err := adapted.Run(); err != nil {
		t.Errorf("caddy adapt --validate: %v\n%s", err, warnings.String())
	}
	for line := range strings.Lines(warnings.String()) {
		if strings.Contains(line, `"level":"warn"`) || strings.Contains(line, "WARN") {
			t.Errorf("a warning: %s", line)
		}
	}
}
