// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"testing"
)

// Every list prints what it is given, and nothing that is missing breaks it.
func TestTables(t *testing.T) {
	for _, l := range lists {
		var out bytes.Buffer
		if err := l.table(&out, []byte(`{"items":[{}]}`)); err != nil {
			t.Errorf("%s: %v", l.name, err)
		}
		if columns := len(l.row(map[string]any{})); columns != len(l.headings) {
			t.Errorf("%s: %d headings for %d columns", l.name, len(l.headings), columns)
		}
		if err := l.table(&out, []byte(`<html>`)); err == nil {
			t.Errorf("%s: shows what is not JSON", l.name)
		}
	}
}
