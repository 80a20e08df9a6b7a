// SPDX-License-Identifier: Apache-2.0

package transparent

import (
	"strings"
	"testing"
)

// A request whose rule reads its body reaches the API unchanged, also if the
// body cannot be read, is longer than what is read ahead, or ends in trailers.
// It is held back until it has been read ahead, which is why only these plans
// are compared.
func TestReadAhead(t *testing.T) {
	l := newLab(t)
	long := strings.Repeat("x", 40<<10)
	for name, p := range map[string]plan{
		"a rule's":             {body: []string{`{"method":"set","id":"7","other":"8"}`}},
		"a rule's, in chunks":  {body: []string{`{"method":"set",`, `"id":"7"}`}, chunked: true},
		"with trailers":        {body: []string{`{"method":"set","id":"7"}`}, chunked: true, trailers: []string{"X-Sum: 1"}},
		"nobody's":             {body: []string{`{"method":"get","id":"7"}`}},
		"no JSON":              {body: []string{"method=set"}, fields: []string{"Content-Type: text/plain"}},
		"damaged gzip":         {body: []string{"not gzip"}, fields: []string{"Content-Encoding: gzip"}},
		"none":                 {},
		"longer than captured": {body: []string{long, long}},
		"longer, in chunks":    {body: []string{long, long}, chunked: true},
	} {
		for variant, both := range l.pairs {
			if variant == "reused" {
				continue
			}
			t.Run(variant+" "+name, func(t *testing.T) {
				p := p
				p.method, p.path = "POST", "/rpc"
				l.compare(t, both, p, withLength("200 OK", "", `{"ok":true}`))
			})
		}
	}
}
