// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/caddy-webhooks/caddy-webhooks/internal/argument"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/parse"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("webhooks", parseGlobalOption)
	httpcaddyfile.RegisterHandlerDirective("webhooks", parseDirective)
	// Inside encode, so that bodies are seen as the API sent them; inside the
	// authentication handlers, so that refused requests are not seen at all;
	// and outside whatever leads to the API.
	httpcaddyfile.RegisterDirectiveOrder("webhooks", httpcaddyfile.After, "encode")
	// And so before webhooks: what it answers is no request to the API.
	httpcaddyfile.RegisterHandlerDirective("webhooks_api", parseAPIDirective)
	httpcaddyfile.RegisterDirectiveOrder("webhooks_api", httpcaddyfile.After, "encode")
	httpcaddyfile.RegisterHandlerDirective("webhooks_dashboard", parseDashboardDirective)
	httpcaddyfile.RegisterDirectiveOrder("webhooks_dashboard", httpcaddyfile.After, "encode")
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
//	        # see parse.Resource
//	    }
//	}
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if d.NextArg() {
		return d.Errf("unexpected %q after webhooks; its options stand in a block", d.Val())
	}
	seen, lines := make(map[string]bool), make(parse.Lines)
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
		return lines.Locate(err)
	}
	set, err := rules.Compile(h.Resources, nil)
	if err == nil {
		err = set.DeclareIgnored(h.Ignore)
	}
	return lines.Locate(err)
}

func (h *Handler) unmarshalOption(d *caddyfile.Dispenser, word string, lines parse.Lines) error {
	switch word {
	case "upstream":
		return h.unmarshalUpstream(d)
	case "upstream_timeout":
		return argument.Duration(d, &h.UpstreamTimeout)
	case "capture":
		value, err := argument.One(d)
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
		value, err := argument.One(d)
		if err != nil {
			return err
		}
		if value != onQueueErrorPass && value != onQueueErrorFail {
			return d.Errf("on_queue_error is pass or fail, not %q", value)
		}
		h.OnQueueError = value
		return nil
	case "max_shows":
		return argument.Count(d, &h.MaxShows)
	case "look_rate":
		value, err := argument.One(d)
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
		ignored, err := parse.Ignored(d, lines)
		if err != nil {
			return err
		}
		h.Ignore = append(h.Ignore, ignored)
		return nil
	case "resource":
		resource, err := parse.Resource(d, lines)
		if err != nil {
			return err
		}
		h.Resources = append(h.Resources, resource)
		return nil
	}
	return d.Errf("unknown option %q of webhooks; it takes upstream, upstream_timeout, capture, on_queue_error, max_shows, look_rate, method_override, batch, ignore and resource", word)
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

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*Handler)(nil)
	_ caddyfile.Unmarshaler = (*App)(nil)
)
