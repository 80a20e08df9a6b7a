// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// Lines holds the lines of the parts of resources, by resource and part (see
// [rules.PartError]); the part nil is the resource as a whole.
type Lines map[string]map[any]caddyfile.Token

// Locate adds the line of the part that an error is about.
func (l Lines) Locate(err error) error {
	var wrong rules.PartError
	if !errors.As(err, &wrong) {
		return err
	}
	at, ok := l[wrong.Resource][wrong.Part]
	if !ok {
		at = l[wrong.Resource][nil]
	}
	return fmt.Errorf("%w, at %s:%d", err, at.File, at.Line)
}

// lineNotes notes on which lines the words of a resource stand, for what is told of them
// while Caddy runs: JSON has no lines.
type lineNotes struct {
	of     *syntax.Resource
	counts map[string]int
}

func noteLines(of *syntax.Resource, line caddyfile.Token) *lineNotes {
	of.Lines = map[string]string{syntax.WholeResource: place(line)}
	return &lineNotes{of, make(map[string]int)}
}

// onLines are the options of which something may be told that stand once in a resource.
var onLines = map[any]bool{"id": true, "version": true, "tenant": true, "parent": true, "watch": true, "list": true, "notify": true}

// note notes the line of an option, which has set a part of the resource.
func (n *lineNotes) note(part any, line caddyfile.Token) {
	if onLines[part] {
		n.of.Lines[part.(string)] = place(line)
	}
	for name, count := range map[string]int{
		"rules": len(n.of.Rules), "events": len(n.of.Events),
		"hide": len(n.of.Hide), "only": len(n.of.Only), "volatile": len(n.of.Volatile),
	} {
		for i := n.counts[name]; i < count; i++ {
			n.of.Lines[fmt.Sprintf("%s/%d", name, i)] = place(line)
		}
		n.counts[name] = count
	}
}

// place returns the file and the line of a token.
func place(token caddyfile.Token) string { return fmt.Sprintf("%s:%d", token.File, token.Line) }
