// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/internal/regularfile"
)

// unmarshalType reads
//
//	type <pattern> [as <alias>] [<description>] {
//	    schema <file|json>
//	    sample <file|json>
//	}
func unmarshalType(d *caddyfile.Dispenser) (*syntax.Type, error) {
	args := d.RemainingArgs()
	usage := func() error {
		return d.Errf("type takes a pattern, an alias and a description, as `type items.* as items \"An item has changed.\"`, not `%s`", strings.Join(args, " "))
	}
	if len(args) == 0 {
		return nil, usage()
	}
	t := &syntax.Type{Pattern: args[0]}
	rest := args[1:]
	if len(rest) > 0 && rest[0] == "as" {
		if len(rest) == 1 {
			return nil, usage()
		}
		t.Alias, rest = rest[1], rest[2:]
	}
	switch len(rest) {
	case 0:
	case 1:
		t.Description = rest[0]
	default:
		return nil, usage()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word, values := d.Val(), d.RemainingArgs()
		var to *json.RawMessage
		switch word {
		case "schema":
			to = &t.Schema
		case "sample":
			to = &t.Sample
		}
		switch {
		case to == nil || len(values) != 1:
			return nil, d.Errf("type %s takes `schema FILE` and `sample FILE`, or JSON in backquotes in place of a file, not `%s`",
				t.Pattern, strings.Join(append([]string{word}, values...), " "))
		case *to != nil:
			return nil, d.Errf("%s stands twice in type %s; keep one of them", word, t.Pattern)
		}
		var err error
		if *to, err = document(values[0]); err != nil {
			return nil, d.Errf("%s of type %s: %v", word, t.Pattern, err)
		}
	}
	return t, nil
}

// document returns JSON: the text itself if it is an object or a list, otherwise what the
// file of that name holds.
func document(text string) (json.RawMessage, error) {
	content := []byte(text)
	if !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		var err error
		if content, err = regularfile.Read(text, maxFile); err != nil {
			return nil, err
		}
	}
	var compact bytes.Buffer
	var wrong *json.SyntaxError
	switch err := json.Compact(&compact, content); {
	case errors.As(err, &wrong):
		return nil, fmt.Errorf("it is not JSON, at byte %d: %w", wrong.Offset, err)
	case err != nil:
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	return compact.Bytes(), nil
}

// maxFile limits a file, in bytes: white space in it does not count in the end.
const maxFile = 4 * syntax.MaxDocument
