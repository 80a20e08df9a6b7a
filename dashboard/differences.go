// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"strings"

	"github.com/pmezard/go-difflib/difflib"
)

// maxCompared is how many lines two texts may have together to be compared line by line.
const maxCompared = 4000

// compared returns a text as it is shown, with what has changed since another. A comma at
// the end of a line counts for nothing: it says what follows.
func compared(before, now []byte) (shown code, changed int) {
	old, shown := codeOf(before), codeOf(now)
	if len(old.Lines)+len(shown.Lines) > maxCompared || old.Cut != "" || shown.Cut != "" {
		return shown, 0
	}
	var lines []codeLine
	for _, op := range difflib.NewMatcher(plain(old.Lines), plain(shown.Lines)).GetOpCodes() {
		if op.Tag == 'e' {
			lines = append(lines, shown.Lines[op.J1:op.J2]...)
			continue
		}
		changed++
		for _, line := range old.Lines[op.I1:op.I2] {
			lines = append(lines, codeLine{"del", line.Tokens})
		}
		for _, line := range shown.Lines[op.J1:op.J2] {
			lines = append(lines, codeLine{"ins", line.Tokens})
		}
	}
	shown.Lines = lines
	return shown, changed
}

// plain returns lines as they are compared.
func plain(lines []codeLine) []string {
	texts := make([]string, len(lines))
	for i := range lines {
		for _, t := range lines[i].Tokens {
			texts[i] += t.Text
		}
		texts[i] = strings.TrimSuffix(texts[i], ",")
	}
	return texts
}
