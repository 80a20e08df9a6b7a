// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// minWidth is the width below which nothing is fitted.
const minWidth = 40

// widthOf returns how many columns there are to print to, 0 for any number: a
// terminal's, or what COLUMNS says. What is read by another program keeps each item
// on a line.
func widthOf(out io.Writer) int {
	if columns, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && columns > 0 {
		return max(columns, minWidth)
	}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		if columns, _, err := term.GetSize(int(file.Fd())); err == nil && columns > 0 {
			return max(columns, minWidth)
		}
	}
	return 0
}

const (
	// gutter stands between two columns, indent before what stands below a line.
	gutter = "  "
	indent = "    "
)

// table is rows of cells below headings.
type table struct {
	headings []string
	rows     [][]string
}

// print prints the table within a width, 0 for any. The columns from the first on
// that fit together are aligned; what is in the others stands below each row, after
// its heading.
func (t *table) print(out io.Writer, width int) error {
	widths := t.widths()
	fit := fitting(widths, width)
	var text strings.Builder
	line := func(cells []string) {
		var row strings.Builder
		for i, cell := range cells[:fit] {
			row.WriteString(cell)
			if i < fit-1 {
				row.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + gutter)
			}
		}
		text.WriteString(strings.TrimRight(row.String(), " ") + "\n")
	}
	line(t.headings)
	for _, cells := range t.rows {
		line(cells)
		var below []string
		for i := fit; i < len(cells); i++ {
			if cells[i] != "" {
				below = append(below, strings.ToLower(t.headings[i])+" "+cells[i])
			}
		}
		text.WriteString(wrapped(below, width))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// widths returns the width of each column.
func (t *table) widths() []int {
	widths := make([]int, len(t.headings))
	for i, heading := range t.headings {
		widths[i] = utf8.RuneCountInString(heading)
		for _, cells := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(cells[i]))
		}
	}
	return widths
}

// fitting returns how many columns fit into a width side by side: all into 0, and
// never less than one.
func fitting(widths []int, width int) int {
	taken := 0
	for i, w := range widths {
		if i > 0 {
			w += len(gutter)
		}
		if taken += w; width > 0 && i > 0 && taken > width {
			return i
		}
	}
	return len(widths)
}

// wrapped returns items one after the other, in indented lines of a width. An item
// that does not fit into a line begins a new one, and is broken between words.
func wrapped(items []string, width int) string {
	var text, line strings.Builder
	room := width - len(indent)
	end := func() {
		if line.Len() > 0 {
			text.WriteString(indent + line.String() + "\n")
			line.Reset()
		}
	}
	add := func(word, space string) {
		if line.Len() > 0 && utf8.RuneCountInString(line.String())+len(space)+utf8.RuneCountInString(word) > room {
			end()
		}
		if line.Len() > 0 {
			line.WriteString(space)
		}
		line.WriteString(word)
	}
	for _, item := range items {
		if utf8.RuneCountInString(item) <= room {
			add(item, gutter)
			continue
		}
		end()
		for word := range strings.FieldsSeq(item) {
			add(word, " ")
		}
	}
	end()
	return text.String()
}

// below returns a text that stands indented below a line, within a width, 0 for any.
func below(text string, width int) string {
	if width <= 0 {
		return indent + cell(text) + "\n"
	}
	return wrapped([]string{cell(text)}, width)
}

// sentence returns a line, or where it is wider than a width, 0 for any, several, of which
// those after the first are indented.
func sentence(text string, width int) string {
	if text = cell(text); width <= 0 || utf8.RuneCountInString(text) <= width {
		return text + "\n"
	}
	first := 0
	for at := range text {
		if utf8.RuneCountInString(text[:at]) > width {
			break
		}
		if text[at] == ' ' {
			first = at
		}
	}
	return text[:first] + "\n" + wrapped([]string{strings.TrimSpace(text[first:])}, width)
}

// paragraphs returns a text whose paragraphs are broken between words, in lines of a
// width.
func paragraphs(text string, width int) string {
	var broken []string
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		var lines []string
		for word := range strings.FieldsSeq(paragraph) {
			last := len(lines) - 1
			if last < 0 || utf8.RuneCountInString(lines[last])+1+utf8.RuneCountInString(word) > width {
				lines = append(lines, word)
				continue
			}
			lines[last] += " " + word
		}
		broken = append(broken, strings.Join(lines, "\n"))
	}
	return strings.Join(broken, "\n\n")
}

// cell returns a value of an answer as a table shows it: on one line, and none of
// it acts on a terminal, whoever wrote it.
func cell(value any) string {
	if value == nil {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, fmt.Sprint(value))
}
