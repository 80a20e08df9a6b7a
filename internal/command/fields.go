// SPDX-License-Identifier: Apache-2.0

package command

import (
	"io"
	"strings"
	"unicode/utf8"
)

// field is one thing that is known, with its name.
type field struct {
	name  string
	value any
}

// printFields prints fields one below the other, within a width, 0 for any. Those
// without a value are left out.
func printFields(out io.Writer, width int, fields []field) error {
	widest := 0
	for _, f := range fields {
		if cell(f.value) != "" {
			widest = max(widest, utf8.RuneCountInString(f.name))
		}
	}
	var text strings.Builder
	for _, f := range fields {
		value := cell(f.value)
		if value == "" {
			continue
		}
		line := f.name + strings.Repeat(" ", widest-utf8.RuneCountInString(f.name)) + gutter + value
		if width > 0 && utf8.RuneCountInString(line) > width {
			text.WriteString(f.name + "\n" + wrapped([]string{value}, width))
			continue
		}
		text.WriteString(line + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}
