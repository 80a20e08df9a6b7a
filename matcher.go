// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/rules"
)

// provisionRules compiles the rules by which requests are matched, with the
// request matchers that narrow them.
func (h *Handler) provisionRules(ctx caddy.Context) error {
	matchers, err := h.provisionMatchers(ctx)
	if err != nil {
		return err
	}
	if h.rules, err = rules.Compile(h.Resources, matchers); err != nil {
		return err
	}
	if err := h.rules.DeclareBatches(h.Batch); err != nil {
		return err
	}
	if err := h.rules.DeclareIgnored(h.Ignore); err != nil {
		return err
	}
	return h.provisionOverride()
}

// provisionMatchers loads the request matchers that narrow rules.
func (h *Handler) provisionMatchers(ctx caddy.Context) (rules.Matchers, error) {
	matchers := make(rules.Matchers)
	for _, r := range h.Resources {
		for _, rule := range r.Rules {
			if rule.MatchRaw == nil {
				continue
			}
			sets, err := ctx.LoadModule(rule, "MatchRaw")
			if err != nil {
				return nil, fmt.Errorf("resource %s: %s %s: match: %w", r.Name, rule.Kind, rule, err)
			}
			var loaded caddyhttp.MatcherSets
			if err := loaded.FromInterface(sets); err != nil {
				return nil, fmt.Errorf("resource %s: %s %s: match: %w", r.Name, rule.Kind, rule, err)
			}
			matchers[rule] = loaded
		}
	}
	return matchers, nil
}

// provisionOverride parses where a POST request may say which method it stands
// for.
func (h *Handler) provisionOverride() error {
	var err error
	if h.overrides, err = rules.ParseValues(h.MethodOverride); err != nil {
		return fmt.Errorf("method_override: %w", err)
	}
	for _, v := range h.overrides {
		if !v.InRequest() || v.Source == rules.FromPath {
			return fmt.Errorf("method_override: %s is no place in a request; write header:NAME, query:NAME or request:PATH", v)
		}
	}
	return nil
}

// request returns a request as rules match it.
func (h *Handler) request(r *http.Request) rules.Request {
	return rules.Request{HTTP: r, Method: r.Method, Limit: h.Capture, Overrides: h.overrides}
}
