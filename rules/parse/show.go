// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// unmarshalShow reads `show …` and its block.
func unmarshalShow(d *caddyfile.Dispenser, r *syntax.Resource) (part any, err error) {
	args := d.RemainingArgs()
	switch {
	case len(args) == 2 && args[0] == "from" && args[1] == "response":
		r.ShowFrom = syntax.ShowFromResponse
		return "show from", nil
	case len(args) >= 2 && args[0] == "as" && args[1] == "caller":
		r.ShowFrom, r.CallerHeaders = syntax.ShowFromCaller, args[2:]
		return "show from", nil
	}
	request, rest, err := unmarshalRequest(d, args, "show", "/"+r.Name+"/:id")
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, d.Errf("show: unexpected %q after the path", rest[0])
	}
	r.Show = &request
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch word := d.Val(); word {
		case "gone":
			err = unmarshalAnswer(d, word, d.RemainingArgs(), &r.Gone)
		case "failed":
			err = unmarshalAnswer(d, word, d.RemainingArgs(), &r.Failed)
		case "header", "body":
			err = unmarshalRequestOption(d, word, &request)
		case "html":
			if r.HTML = true; d.NextArg() {
				err = d.Err("html takes nothing after it")
			}
		default:
			err = d.Errf("unknown option %q of show; it takes header, body, gone, failed and html", word)
		}
		if err != nil {
			return nil, err
		}
	}
	return "show", nil
}
