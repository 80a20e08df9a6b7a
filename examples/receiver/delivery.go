// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
)

// delivery is a received delivery.
type delivery struct {
	header  http.Header
	at      time.Time
	payload []byte
}

// id is the event's id; a repeated delivery has the same one.
func (d delivery) id() string {
	id := d.header.Get("webhook-id")
	if i := strings.LastIndex(id, "_"); i > len("evt") {
		return id[:i] // without the hash of the headers
	}
	return id
}

// line describes the delivery in one line.
func (d delivery) line(verdict string) string {
	sequence := d.header.Get("webhook-sequence")
	if sequence != "" {
		sequence = "#" + sequence
	}
	fields := []string{
		d.at.Format("15:04:05.000"),
		d.header.Get("webhook-event"),
		d.header.Get("webhook-object"),
		sequence,
		d.id(),
		verdict,
	}
	for i, field := range fields {
		if field == "" {
			field = "-"
		}
		fields[i] = printable(field)
	}
	return strings.Join(fields, "  ") + "\n"
}

// pretty returns the payload, indented if it is JSON.
func (d delivery) pretty() string {
	if len(d.payload) == 0 {
		return ""
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, bytes.TrimSpace(d.payload), "", "  "); err != nil {
		return printable(string(d.payload)) + "\n"
	}
	lines := strings.Split(indented.String(), "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n") + "\n"
}

// printable escapes everything that could affect a terminal: whoever can set a
// field of an object chooses parts of the printed text.
func printable(text string) string {
	if strings.IndexFunc(text, hidden) < 0 {
		return text
	}
	var safe strings.Builder
	for _, char := range text {
		if hidden(char) {
			fmt.Fprintf(&safe, `\u%04x`, char)
			continue
		}
		safe.WriteRune(char)
	}
	return safe.String()
}

func hidden(char rune) bool {
	return !unicode.IsGraphic(char)
}
