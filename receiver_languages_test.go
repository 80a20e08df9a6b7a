// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// languages are those in which docs/signatures.md verifies a delivery, with a program
// that reads some, by name, and calls the page's function for each.
var languages = map[string]struct {
	command, file, program string
}{
	"python": {"python3", "verify.py", `
import json, sys

said = {}
for name, case in json.load(sys.stdin).items():
    try:
        said[name] = "event " + verify(case["secret"], case["headers"], case["body"].encode())
    except ValueError as refused:
        said[name] = "refused: " + str(refused)
print(json.dumps(said))
`},
	"js": {"node", "verify.mjs", `
import { readFileSync } from "node:fs";

const says = {};
for (const [name, given] of Object.entries(JSON.parse(readFileSync(0, "utf8")))) {
  try {
    says[name] = "event " + verify(given.secret, given.headers, Buffer.from(given.body));
  } catch (refused) {
    says[name] = "refused: " + refused.message;
  }
}
console.log(JSON.stringify(says));
`},
}

// delivered is a delivery as a program gets it.
type delivered struct {
	Secret  string            `json:"secret"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// newDelivered returns a delivery that was sent at a time, with the id and the
// signature that it must have.
func newDelivered(t *testing.T, secret, body string, at time.Time) delivered {
	t.Helper()
	e := event.Event{
		ID: "evt_0123456789abcdefghjkmnpqrstvwxyz", Type: "items.updated", Key: event.Key{Resource: "items", ID: "42"}, Sequence: 7,
		Op: event.OpChange, Freshness: event.FreshnessVersion,
	}
	signer, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signer.Sign(e.DeliveryID(), at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	headers := map[string]string{
		"webhook-id": e.DeliveryID(), "webhook-timestamp": unixText(at), "webhook-signature": "v1,AAAA " + signature,
		"webhook-event": e.Type, "webhook-object": "items/42", "webhook-sequence": "7", "webhook-op": "change", "webhook-freshness": "version",
	}
	return delivered{secret, headers, body}
}

// The functions of docs/signatures.md take a delivery, and refuse what is forged, by
// whatever was changed of it.
func TestVerifyInOtherLanguages(t *testing.T) {
	const secret, body = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "<größe>no JSON</größe>"
	now := time.Now()
	changed := func(change func(*delivered)) delivered {
		d := newDelivered(t, secret, body, now)
		change(&d)
		return d
	}
	cases := map[string]struct {
		delivered
		want string
	}{
		"good":            {newDelivered(t, secret, body, now), "event evt_0123456789abcdefghjkmnpqrstvwxyz"},
		"empty":           {newDelivered(t, secret, "", now), "event evt_0123456789abcdefghjkmnpqrstvwxyz"},
		"old":             {newDelivered(t, secret, body, now.Add(-time.Hour)), "refused: it was not sent just now"},
		"from the future": {newDelivered(t, secret, body, now.Add(time.Hour)), "refused: it was not sent just now"},
		"other secret":    {changed(func(d *delivered) { d.Secret = "whsec_" + strings.Repeat("B", 44) }), "refused: bad signature"},
		"other body":      {changed(func(d *delivered) { d.Body += " " }), "refused: bad signature"},
		"other time":      {changed(func(d *delivered) { d.Headers["webhook-timestamp"] = unixText(now.Add(time.Second)) }), "refused: bad signature"},
		"no signature":    {changed(func(d *delivered) { delete(d.Headers, "webhook-signature") }), "refused: bad signature"},
		"foreign letters": {changed(func(d *delivered) { d.Headers["webhook-signature"] = "v1,ü" }), "refused: bad signature"},
		"no headers":      {changed(func(d *delivered) { d.Headers = map[string]string{} }), "refused: it was not sent just now"},
		"other object":    {changed(func(d *delivered) { d.Headers["webhook-object"] = "items/43" }), "refused: the headers are not those that were signed"},
		"a header more":   {changed(func(d *delivered) { d.Headers["webhook-changed"] = "state" }), "refused: the headers are not those that were signed"},
		"a header less":   {changed(func(d *delivered) { delete(d.Headers, "webhook-op") }), "refused: the headers are not those that were signed"},
	}
	given, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	for language, runs := range languages {
		t.Run(language, func(t *testing.T) {
			if _, err := exec.LookPath(runs.command); err != nil {
				t.Skipf("there is no %s here", runs.command)
			}
			blocks := codeOf(t, "docs/signatures.md", language)
			if len(blocks) != 1 {
				t.Fatalf("the page has %d blocks of %s, want one", len(blocks), language)
			}
			file := filepath.Join(t.TempDir(), runs.file)
			if err := os.WriteFile(file, []byte(blocks[0]+runs.program), 0o600); err != nil {
				t.Fatal(err)
			}
			command := exec.CommandContext(t.Context(), runs.command, file) //nolint:gosec // the page's own program
			command.Stdin = bytes.NewReader(given)
			printed, err := command.CombinedOutput()
			var says map[string]string
			if err != nil || json.Unmarshal(printed, &says) != nil {
				t.Fatalf("%v\n%s", err, printed)
			}
			for name, tc := range cases {
				if says[name] != tc.want {
					t.Errorf("%s: %s, want %s", name, says[name], tc.want)
				}
			}
		})
	}
}

// codeOf returns the fenced blocks of a page that are in a language.
func codeOf(t *testing.T, path, language string) []string {
	t.Helper()
	var blocks []string
	for _, found := range fences.FindAllStringSubmatch(pageText(t, path), -1) {
		if found[1] == language {
			blocks = append(blocks, found[2])
		}
	}
	return blocks
}

// unixText returns a time as the header has it.
func unixText(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
