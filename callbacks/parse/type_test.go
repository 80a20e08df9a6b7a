// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/syntax"
)

// read parses what stands in subscribers.
func subscribersOf(lines string) (*syntax.Subscribers, error) {
	d := caddyfile.NewTestDispenser("subscribers {\n" + lines + "\n}\n")
	d.Next()
	return Subscribers(d)
}

// file writes a file, and returns its name.
func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.json")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// A type in the Caddyfile is the same in JSON, with what its files hold.
func TestTypes(t *testing.T) {
	schema := file(t, "{\n  \"type\": \"object\",\n  \"required\": [\"id\"]\n}\n")
	for name, test := range map[string]struct{ lines, want string }{
		"a pattern":     {"type items.updated", `{"types":[{"pattern":"items.updated"}]}`},
		"an alias":      {"type items.* as items", `{"types":[{"pattern":"items.*","alias":"items"}]}`},
		"a description": {`type items.updated "An item has changed."`, `{"types":[{"pattern":"items.updated","description":"An item has changed."}]}`},
		"both":          {`type items.updated as 5 "An item has changed."`, `{"types":[{"pattern":"items.updated","alias":"5","description":"An item has changed."}]}`},
		"a file": {
			"type items.updated {\nschema " + schema + "\nsample `{\"id\": \"7\"}`\n}",
			`{"types":[{"pattern":"items.updated","schema":{"type":"object","required":["id"]},"sample":{"id":"7"}}]}`,
		},
		"a sample of a group's schema": {
			"type items.* {\nschema `{\"required\":[\"id\"]}`\n}\ntype items.updated {\nsample `{\"id\":1}`\n}",
			`{"types":[{"pattern":"items.*","schema":{"required":["id"]}},{"pattern":"items.updated","sample":{"id":1}}]}`,
		},
		"beside others": {"limit 3\ntype items.*\ntype users.*", `{"limit":3,"types":[{"pattern":"items.*"},{"pattern":"users.*"}]}`},
	} {
		read, err := subscribersOf(test.lines)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, err := json.Marshal(read)
		if err != nil || string(text) != test.want {
			t.Errorf("%s: %s, %v; want %s", name, text, err, test.want)
		}
		again := new(syntax.Subscribers)
		if err := json.Unmarshal(text, again); err != nil || again.Check() != nil {
			t.Errorf("%s: its JSON is refused: %v %v", name, err, again.Check())
		}
	}
}

// What cannot be said of types is refused, with the word and the line.
func TestRefusedTypes(t *testing.T) {
	for name, test := range map[string]struct{ lines, want string }{
		"no pattern":             {"type", "takes a pattern"},
		"no alias":               {"type items.* as", "takes a pattern"},
		"too many words":         {"type items.* as items An item", "takes a pattern"},
		"no type":                {"type items.*.paid", "not its last part"},
		"another word":           {"type items.* {\nexample `{}`\n}", "`schema FILE` and `sample FILE`"},
		"no file":                {"type items.* {\nschema\n}", "`schema FILE` and `sample FILE`"},
		"a file that is not":     {"type items.* {\nschema /nowhere/schema.json\n}", "/nowhere/schema.json"},
		"a directory":            {"type items.* {\nschema /\n}", "no regular file"},
		"a file too large":       {"type items.* {\nschema " + file(t, strings.Repeat(" ", maxFile)+"{}") + "\n}", "bytes"},
		"a file that is no JSON": {"type items.* {\nschema " + file(t, `{"type":`) + "\n}", "it is not JSON"},
		"a schema too large":     {"type items.* {\nschema " + file(t, `{"title":"`+strings.Repeat("x", syntax.MaxDocument)+`"}`) + "\n}", "more than 65536 bytes"},
		"a schema that is none":  {"type items.* {\nschema `{\"type\":\"objekt\"}`\n}", "type items.*: it is no JSON Schema"},
		"a schema elsewhere":     {"type items.* {\nschema `{\"$ref\":\"https://example.com/x.json\"}`\n}", "outside of the schema"},
		"a schema in a file":     {"type items.* {\nschema `{\"$ref\":\"file:///etc/passwd\"}`\n}", "outside of the schema"},
		"a schema twice":         {"type items.* {\nschema `{}`\nschema `{}`\n}", "schema stands twice"},
		"a sample that is none":  {"type items.* {\nschema `{\"required\":[\"id\"]}`\nsample `{\"no\":1}`\n}", "its sample does not fit the schema of items.*, as a whole: missing property 'id'"},
		"a sample of a member":   {"type items.* {\nschema `{\"properties\":{\"a/b\":{\"type\":\"string\"}}}`\nsample `{\"a/b\":1}`\n}", "at /a~1b"},
		"a sample of a group":    {"type items.updated {\nsample `{}`\n}\ntype items.* {\nschema `{\"required\":[\"id\"]}`\n}", "items.updated: its sample"},
		"a type twice":           {"type items.*\ntype items.*", "stands twice"},
		"an alias twice":         {"type items.* as x\ntype users.* as x", "the alias of items.*"},
		"an alias with a slash":  {"type items.* as a/b", "no name for a path"},
		"an alias of dots":       {"type items.* as ..", "no name for a path"},
		"a description of lines": {"type items.* \"a\nb\"", "no line"},
	} {
		_, err := subscribersOf(test.lines)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "Testfile:") {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
