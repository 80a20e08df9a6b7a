// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/caddy-webhooks/caddy-webhooks/event"
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
//	    resource <name> {
//	        show    [<method>] <path>
//	        create  <methods> <path>
//	        update  <methods> <path>
//	        delete  <methods> <path>
//	        id      <paths...>
//	        version <path>
//	        event   <type> on create|delete
//	        event   <type> on change [<paths...>] [from <values...>] [to <values...>]
//	    }
//	}
//
// Methods are joined by "|"; "*" stands for every unsafe method.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if d.NextArg() {
		return d.Errf("unexpected %q after webhooks; its options stand in a block", d.Val())
	}
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		if word != "resource" {
			if seen[word] {
				return d.Errf("%s stands twice; keep one of them", word)
			}
			seen[word] = true
		}
		if err := h.unmarshalOption(d, word); err != nil {
			return err
		}
	}
	if h.UpstreamRaw == nil {
		return d.Err("upstream is missing: say where Shows are read, as `upstream 127.0.0.1:9000`")
	}
	if len(h.Resources) == 0 {
		return d.Err("no resource is declared: add one, as `resource items`")
	}
	return nil
}

func (h *Handler) unmarshalOption(d *caddyfile.Dispenser, word string) error {
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
	case "resource":
		return h.unmarshalResource(d)
	}
	return d.Errf("unknown option %q of webhooks; it takes upstream, upstream_timeout, capture, on_queue_error, max_shows and resource", word)
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

func (h *Handler) unmarshalResource(d *caddyfile.Dispenser) error {
	name, err := argument(d)
	if err != nil {
		return err
	}
	for _, other := range h.Resources {
		if other.Name == name {
			return d.Errf("resource %s is declared twice; merge the two", name)
		}
	}
	r := &Resource{Name: name}
	at := d.Token()
	lines := make(map[any]caddyfile.Token)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word, line := d.Val(), d.Token()
		if _, twice := lines[word]; twice && (word == "show" || word == "id" || word == "version") {
			return d.Errf("%s stands twice in resource %s; keep one of them", word, name)
		}
		lines[word] = line
		part, err := r.unmarshalOption(d, word)
		if err != nil {
			return err
		}
		lines[part] = line
	}
	h.Resources = append(h.Resources, r)
	if _, _, err := compileResources(h.Resources); err != nil {
		var wrong partError
		if errors.As(err, &wrong) {
			if line, ok := lines[wrong.part]; ok {
				at = line
			}
		}
		return fmt.Errorf("%w, at %s:%d", err, at.File, at.Line)
	}
	return nil
}

// unmarshalOption reads one option, and returns the part of the resource that
// it has set, as a partError names it.
func (r *Resource) unmarshalOption(d *caddyfile.Dispenser, word string) (part any, err error) {
	args := d.RemainingArgs()
	switch word {
	case "show":
		return word, r.unmarshalShow(d, args)
	case "create", "update", "delete":
		if len(args) != 2 {
			return nil, d.Errf("%s takes methods and a path, as `%s PUT|PATCH /%s/:id`", word, word, r.Name)
		}
		rule := &Rule{Kind: event.Kind(word), Path: args[1]}
		if args[0] != "*" {
			rule.Methods = strings.Split(args[0], "|")
		}
		for _, method := range rule.Methods {
			if !isMethod(method) {
				return nil, d.Errf("%q is no HTTP method; methods are written in capitals and joined by |", method)
			}
		}
		r.Rules = append(r.Rules, rule)
		return rule, nil
	case "id":
		if len(args) == 0 {
			return nil, d.Err("id takes the path at which the id stands in a body, as `id data.id`")
		}
		r.ID = args
		return word, nil
	case "version":
		if len(args) != 1 {
			return nil, d.Err("version takes the path of one field, as `version updated_at`")
		}
		r.Version = args[0]
		return word, nil
	case "event":
		return r.unmarshalEvent(d, args)
	}
	return nil, d.Errf("unknown option %q of resource %s; it takes show, create, update, delete, id, version and event", word, r.Name)
}

func (r *Resource) unmarshalShow(d *caddyfile.Dispenser, args []string) error {
	switch {
	case len(args) == 1:
		r.Show = &Request{Method: http.MethodGet, Path: args[0]}
	case len(args) == 2 && isMethod(args[0]):
		r.Show = &Request{Method: args[0], Path: args[1]}
	default:
		return d.Errf("show takes a method and a path, as `show GET /%s/:id`", r.Name)
	}
	return nil
}

// unmarshalEvent reads `TYPE on create|change|delete …`.
func (r *Resource) unmarshalEvent(d *caddyfile.Dispenser, args []string) (*EventRule, error) {
	if len(args) < 3 || args[1] != "on" {
		return nil, d.Errf("event takes a type and a trigger, as `event %s.updated on change`", r.Name)
	}
	rule := &EventRule{Type: args[0], On: event.Op(args[2])}
	list := &rule.Paths
	for _, arg := range args[3:] {
		switch {
		case arg == "from" && rule.From == nil:
			rule.From = []string{}
			list = &rule.From
		case arg == "to" && rule.To == nil:
			rule.To = []string{}
			list = &rule.To
		default:
			*list = append(*list, arg)
		}
	}
	if rule.From != nil && len(rule.From) == 0 || rule.To != nil && len(rule.To) == 0 {
		return nil, d.Errf("event %s: from and to are followed by values, as `from pending to completed`", rule.Type)
	}
	r.Events = append(r.Events, rule)
	return rule, nil
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

func duration(d *caddyfile.Dispenser, to *caddy.Duration) error {
	word := d.Val()
	value, err := argument(d)
	if err != nil {
		return err
	}
	parsed, err := caddy.ParseDuration(value)
	if err != nil || parsed <= 0 {
		return d.Errf("%s takes a duration, as 30s or 2h, not %q", word, value)
	}
	*to = caddy.Duration(parsed)
	return nil
}

func count(d *caddyfile.Dispenser, to *int) error {
	word := d.Val()
	value, err := argument(d)
	if err != nil {
		return err
	}
	if _, err := fmt.Sscanf(value, "%d", to); err != nil || *to <= 0 || fmt.Sprint(*to) != value {
		return d.Errf("%s takes a number above 0, not %q", word, value)
	}
	return nil
}

func isMethod(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r < 'A' || r > 'Z' }) < 0
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*Handler)(nil)
	_ caddyfile.Unmarshaler = (*App)(nil)
)
