// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("webhooks", parseGlobalOption)
	httpcaddyfile.RegisterHandlerDirective("webhooks", parseDirective)
	// Inside encode, so that bodies are seen as the API sent them; inside the
	// authentication handlers, so that refused requests are not seen at all;
	// and outside whatever leads to the API.
	httpcaddyfile.RegisterDirectiveOrder("webhooks", httpcaddyfile.After, "encode")
}

func parseDirective(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := &Handler{helper: &h}
	if err := handler.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	return handler, nil
}

// UnmarshalCaddyfile sets up the handler from a Caddyfile. Syntax:
//
//	webhooks [<matcher>] {
//	    upstream <upstreams...> {
//	        # the options of reverse_proxy
//	    }
//	    upstream_timeout <duration>
//	    capture          <size>
//	    on_queue_error   pass|fail
//	    max_shows        <n>
//	    look_rate        <n>/s
//	    method_override  <values...>
//	    batch            <paths...>
//	    ignore           <methods> <path>
//	    resource <name> {
//	        # see unmarshalResourceOption
//	    }
//	}
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if d.NextArg() {
		return d.Errf("unexpected %q after webhooks; its options stand in a block", d.Val())
	}
	seen, lines := make(map[string]bool), make(partLines)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		if word != "resource" && word != "ignore" {
			if seen[word] {
				return d.Errf("%s stands twice; keep one of them", word)
			}
			seen[word] = true
		}
		if err := h.unmarshalOption(d, word, lines); err != nil {
			return err
		}
	}
	if h.UpstreamRaw == nil {
		return d.Err("upstream is missing: say where Shows are read, as `upstream 127.0.0.1:9000`")
	}
	if len(h.Resources) == 0 {
		return d.Err("no resource is declared: add one, as `resource items`")
	}
	if err := h.checkHost(h.UpstreamRaw); err != nil {
		return lines.locate(err)
	}
	set, err := rules.Compile(h.Resources, nil)
	if err == nil {
		err = set.DeclareIgnored(h.Ignore)
	}
	return lines.locate(err)
}

func (h *Handler) unmarshalOption(d *caddyfile.Dispenser, word string, lines partLines) error {
	switch word {
	case "upstream":
		return h.unmarshalUpstream(d)
	case "upstream_timeout":
		return duration(d, &h.UpstreamTimeout)
	case "capture":
		value, err := argument(d)
		if err != nil {
			return err
		}
		size, err := humanize.ParseBytes(value)
		if err != nil || size == 0 || size > 1<<30 {
			return d.Errf("capture takes a size of at most 1GiB, as 1MiB, not %q", value)
		}
		h.Capture = int64(size)
		return nil
	case "on_queue_error":
		value, err := argument(d)
		if err != nil {
			return err
		}
		if value != onQueueErrorPass && value != onQueueErrorFail {
			return d.Errf("on_queue_error is pass or fail, not %q", value)
		}
		h.OnQueueError = value
		return nil
	case "max_shows":
		return count(d, &h.MaxShows)
	case "look_rate":
		value, err := argument(d)
		if err != nil {
			return err
		}
		h.LookRate, err = strconv.ParseFloat(strings.TrimSuffix(value, "/s"), 64)
		if err != nil || h.LookRate <= 0 || h.LookRate > 1e6 {
			return d.Errf("look_rate takes a number of requests a second, as 10/s, not %q", value)
		}
		return nil
	case "method_override":
		if h.MethodOverride = d.RemainingArgs(); len(h.MethodOverride) == 0 {
			return d.Err("method_override takes where the method stands, as `method_override header:X-HTTP-Method-Override`")
		}
		return nil
	case "batch":
		if h.Batch = d.RemainingArgs(); len(h.Batch) == 0 {
			return d.Err("batch takes the paths of requests that hold others, as `batch /odata/$batch`")
		}
		if err := new(rules.Set).DeclareBatches(h.Batch); err != nil {
			return d.WrapErr(err)
		}
		return nil
	case "ignore":
		return h.unmarshalIgnored(d, lines)
	case "resource":
		return h.unmarshalResource(d, lines)
	}
	return d.Errf("unknown option %q of webhooks; it takes upstream, upstream_timeout, capture, on_queue_error, max_shows, look_rate, method_override, batch, ignore and resource", word)
}

// unmarshalIgnored reads which requests change nothing.
func (h *Handler) unmarshalIgnored(d *caddyfile.Dispenser, lines partLines) error {
	line, args := d.Token(), d.RemainingArgs()
	if len(args) != 2 {
		return d.Err("ignore takes methods and a path, as `ignore POST /login`")
	}
	ignored := &syntax.Ignored{Path: args[1]}
	if args[0] != "*" {
		ignored.Methods = strings.Split(args[0], "|")
	}
	if lines[""] == nil {
		lines[""] = make(map[any]caddyfile.Token)
	}
	lines[""][ignored] = line
	h.Ignore = append(h.Ignore, ignored)
	return nil
}

// unmarshalUpstream reads the words of reverse_proxy.
func (h *Handler) unmarshalUpstream(d *caddyfile.Dispenser) error {
	proxy := new(reverseproxy.Handler)
	segment := d.NewFromNextSegment()
	if err := proxy.UnmarshalCaddyfile(segment); err != nil {
		return err
	}
	if h.helper != nil {
		if err := proxy.FinalizeUnmarshalCaddyfile(*h.helper); err != nil {
			return err
		}
	}
	if len(proxy.Upstreams) == 0 && proxy.DynamicUpstreamsRaw == nil {
		return d.Err("upstream takes the address of the API, as `upstream 127.0.0.1:9000`")
	}
	h.UpstreamRaw = caddyconfig.JSONModuleObject(proxy, "handler", "reverse_proxy", nil)
	return nil
}

// parseGlobalOption reads the global `webhooks` block.
func parseGlobalOption(d *caddyfile.Dispenser, existing any) (any, error) {
	if existing != nil {
		d.Next() // so that the error names the line of the second
		return nil, d.Err("the global option webhooks stands twice; merge the two")
	}
	app := new(App)
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "webhooks", Value: caddyconfig.JSON(app, nil)}, nil
}

// argument takes the one argument that an option has.
func argument(d *caddyfile.Dispenser) (string, error) {
	word := d.Val()
	args := d.RemainingArgs()
	if len(args) != 1 {
		return "", d.Errf("%s takes one argument, not %d", word, len(args))
	}
	return args[0], nil
}

// duration takes the one argument of an option that is a duration.
func duration(d *caddyfile.Dispenser, to *caddy.Duration) error {
	word := d.Val()
	return durationOf(d, word, d.RemainingArgs(), to)
}

// durationOf takes a duration from the arguments of a word.
func durationOf(d *caddyfile.Dispenser, word string, args []string, to *caddy.Duration) error {
	if len(args) == 1 {
		if parsed, err := caddy.ParseDuration(args[0]); err == nil && parsed > 0 {
			*to = caddy.Duration(parsed)
			return nil
		}
	}
	return d.Errf("%s takes a duration, as 30s or 2h, not %q", word, strings.Join(args, " "))
}

// count takes the one argument of an option that is a number above 0.
func count(d *caddyfile.Dispenser, to *int) error {
	word := d.Val()
	value, err := argument(d)
	if err != nil {
		return err
	}
	*to, err = strconv.Atoi(value)
	if err != nil || *to <= 0 || strconv.Itoa(*to) != value {
		return d.Errf("%s takes a number above 0, not %q", word, value)
	}
	return nil
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*Handler)(nil)
	_ caddyfile.Unmarshaler = (*App)(nil)
)
