// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caddy-webhooks/caddy-webhooks/receiver"
)

// What `caddy webhooks listen` says of a signature.
const (
	verdictRight   = "verified"
	verdictUnknown = "not verified"
	verdictRefused = "refused"
)

// delivery is a delivery as `caddy webhooks listen` prints it, and what was answered.
type delivery struct {
	At       time.Time `json:"at"`
	ID       string    `json:"id,omitempty"`
	Type     string    `json:"type,omitempty"`
	Object   string    `json:"object,omitempty"`
	Sequence uint64    `json:"sequence,omitempty"`
	Op       string    `json:"op,omitempty"`
	// Verdict is what is known of the signature, and Reason why it was refused, or what
	// went wrong.
	Verdict string `json:"verdict"`
	Reason  string `json:"reason,omitempty"`
	// Order is where the event stands among those of its object, and Missing how many
	// did not come before it.
	Order   string `json:"order,omitempty"`
	Missing uint64 `json:"missing,omitempty"`
	// Answer is the status of the answer.
	Answer int `json:"answer"`
	// Body is the payload if it is JSON or text, with --body, and BodyBase64 any other.
	Body       any    `json:"body,omitempty"`
	BodyBase64 []byte `json:"body_base64,omitempty"`

	body []byte
	// broken is true if the answer broke off.
	broken bool
}

// tell fills in what an event says.
func (d *delivery) tell(e *receiver.Event) {
	d.ID, d.Type, d.Object, d.Sequence, d.Op = short(e.ID), short(e.Type), short(e.Object), e.Sequence, short(e.Op)
}

// claim fills in what the headers of a delivery say that was refused.
func (d *delivery) claim(header http.Header) {
	d.ID, d.Type, d.Object = short(header.Get("webhook-id")), short(header.Get("webhook-event")), short(header.Get("webhook-object"))
}

// maxShort is how much of a header is printed, in bytes: a stranger may have written it.
const maxShort = 2 << 10

func short(text string) string {
	if len(text) <= maxShort {
		return text
	}
	return strings.ToValidUTF8(text[:maxShort], "") + "…"
}

// printDelivery prints a delivery, on a line.
func (c call) printDelivery(d *delivery) error {
	if c.Bool("json") {
		if c.Bool("body") {
			d.showBody()
		}
		line, err := json.Marshal(d)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.out, harmless(line))
		return err
	}
	text := d.line() + "\n"
	if c.Bool("body") {
		text += d.payload()
	}
	_, err := fmt.Fprint(c.out, text)
	return err
}

// line returns the line of a delivery. What it does not say is a "-", so that the fields
// can be told apart.
func (d *delivery) line() string {
	number, verdict := "-", d.Verdict
	if d.Sequence > 0 {
		number = "#" + strconv.FormatUint(d.Sequence, 10)
	}
	if d.Reason != "" {
		verdict += ": " + d.Reason
	}
	order := d.Order
	if d.Missing > 0 {
		order = fmt.Sprintf("gap of %d", d.Missing)
	}
	fields := []string{d.At.Local().Format(clockLayout), d.Type, d.Object, number, d.Op, verdict, order}
	for i, field := range fields {
		if fields[i] = cell(field); fields[i] == "" {
			fields[i] = "-"
		}
	}
	return strings.Join(append(fields, "answered "+strconv.Itoa(d.Answer)), gutter)
}

// payload returns the payload as it is read below the line: JSON indented, other text as
// it is. None of it acts on a terminal.
func (d *delivery) payload() string {
	if len(d.body) == 0 {
		return ""
	}
	text := d.body
	var indented bytes.Buffer
	switch {
	case !utf8.Valid(d.body):
		text = []byte(base64.StdEncoding.EncodeToString(d.body))
	case json.Indent(&indented, d.body, "", "  ") == nil:
		text = indented.Bytes()
	}
	var printed strings.Builder
	for line := range strings.SplitSeq(strings.TrimRight(string(text), "\r\n"), "\n") {
		printed.WriteString(strings.TrimRight(indent+cell(line), " ") + "\n")
	}
	return printed.String()
}

// showBody fills in the payload for JSON.
func (d *delivery) showBody() {
	switch {
	case len(d.body) == 0:
	case !utf8.Valid(d.body):
		d.BodyBase64 = d.body
	case json.Valid(d.body):
		d.Body = json.RawMessage(d.body)
	default:
		d.Body = string(d.body)
	}
}

// harmless returns a line of JSON that means the same, none of which acts on a terminal.
func harmless(line []byte) string {
	var text strings.Builder
	for _, r := range string(line) {
		switch {
		case !unicode.IsControl(r) && !unicode.Is(unicode.Cf, r):
			text.WriteRune(r)
		case r > 0xffff: // it takes two halves
			r -= 0x10000
			fmt.Fprintf(&text, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&text, `\u%04x`, r)
		}
	}
	return text.String()
}
