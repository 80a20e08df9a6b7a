// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// Every list prints what it is given, and nothing that is missing breaks it.
func TestTables(t *testing.T) {
	for _, l := range append(lists, keyList, userList) {
		var out bytes.Buffer
		if err := l.table([]map[string]any{{}}).print(&out, 0); err != nil {
			t.Errorf("%s: %v", l.name, err)
		}
		if columns := len(l.row(map[string]any{})); columns != len(l.headings) {
			t.Errorf("%s: %d headings for %d columns", l.name, len(l.headings), columns)
		}
		if err := l.print(call{out: &out}, []byte(`<html>`)); err == nil {
			t.Errorf("%s: shows what is not JSON", l.name)
		}
	}
}

// Columns that do not fit stand below, and long texts are broken between words. No
// line is wider than what can be broken.
func TestFitting(t *testing.T) {
	words := &table{
		headings: []string{"ID", "STATUS", "LAST ERROR"},
		rows: [][]string{
			{"a", "ok", ""},
			{"bcdefghijklmnopqrstu", "pending", "the receiver answered with 503 and a page about maintenance, which is over soon"},
			{"größer", "ok", "überall"},
		},
	}
	for width, want := range map[int]string{
		0: `ID                    STATUS   LAST ERROR
a                     ok
bcdefghijklmnopqrstu  pending  the receiver answered with 503 and a page about maintenance, which is over soon
größer                ok       überall
`,
		40: `ID                    STATUS
a                     ok
bcdefghijklmnopqrstu  pending
    last error the receiver answered
    with 503 and a page about
    maintenance, which is over soon
größer                ok
    last error überall
`,
		25: `ID
a
    status ok
bcdefghijklmnopqrstu
    status pending
    last error the
    receiver answered
    with 503 and a page
    about maintenance,
    which is over soon
größer
    status ok
    last error überall
`,
	} {
		var out bytes.Buffer
		if err := words.print(&out, width); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("%d columns:\n%s\nwant\n%s", width, &out, want)
		}
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); width > 0 && n > width {
				t.Errorf("%d columns: %d in %q", width, n, line)
			}
		}
	}
}

// A cell is one line, and nothing that a receiver answers acts on the terminal.
func TestCell(t *testing.T) {
	for value, want := range map[any]string{
		nil: "", 7: "7", "a\tb\nc": "a b c", "\x1b[31mred\x07": " [31mred ", "ä€": "ä€", false: "false", "\u009b31m": " 31m", "\u202ered": " red",
	} {
		if got := cell(value); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

// A word is quoted as a shell takes it.
func TestQuoted(t *testing.T) {
	for word, want := range map[string]string{
		"items/42": "items/42", "a b": "'a b'", "it's": `'it'\''s'`, "": "''", "$HOME": "'$HOME'", "a;b": "'a;b'", "items.*": "'items.*'", "ü": "'ü'", "~": "'~'",
	} {
		if got := quoted(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}

// COLUMNS says how wide it is where no terminal does.
func TestWidth(t *testing.T) {
	for columns, want := range map[string]int{"": 0, "120": 120, "5": minWidth, "-1": 0, "wide": 0} {
		t.Setenv("COLUMNS", columns)
		if got := widthOf(new(bytes.Buffer)); got != want {
			t.Errorf("%q: %d, want %d", columns, got, want)
		}
	}
}

// The command for the next page has all that this one had.
func TestAgain(t *testing.T) {
	var got string
	root := &cobra.Command{Use: "caddy"}
	cmd := subcommand(&cobra.Command{Use: "list", Args: cobra.ArbitraryArgs}, func(c call) error {
		got = c.again("cursor", "n ext")
		return nil
	})
	cmd.Flags().String("object", "", "")
	cmd.Flags().String("cursor", "", "")
	cmd.Flags().Int("limit", 0, "")
	cmd.Flags().Bool("all", false, "")
	root.AddCommand(cmd)
	root.SetArgs([]string{"list", "x", "--limit", "3", "--object", "items/a b", "--cursor", "old", "--all"})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	if want := "caddy list --all --limit 3 --object 'items/a b' x --cursor 'n ext'"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
