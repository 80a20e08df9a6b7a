// SPDX-License-Identifier: Apache-2.0

package opa

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/e2e/internal/witness"
)

// ids are names of documents, some of them odd.
var ids = []string{"a", "b", "c", "with space", "100%", "a%2Fb", "x/y", "é", "日本", "semi;colon", "me", "dot.", "~tilde", "q?a=b", "#hash", strings.Repeat("long", 100)}

// names are ids of policies, some of them deep.
var names = []string{"one", "dir/two", "dir/sub/three", "with space", "é/ü", "100% sure"}

// client sends requests.
type client struct {
	site   *witness.Site
	api    string // OPA's own URL
	random *rand.Rand
	step   int
	sent   map[string]int
}

func (c *client) id() string { return ids[c.random.IntN(len(ids))] }

// app is the path of a document.
func app(id string) string { return "/v1/data/apps/" + url.PathEscape(id) }

// policy is the path of a policy, whose id may have slashes.
func policy(name string) string { return "/v1/policies/" + (&url.URL{Path: name}).EscapedPath() }

func (c *client) name() string { return names[c.random.IntN(len(names))] }

// rego is a policy.
func (c *client) rego() string {
	return fmt.Sprintf("package e2e.p%d\n\nallow if input.step == %d\n", c.random.IntN(1000), c.random.IntN(5))
}

// document returns a document. A few come again and again.
func (c *client) document() string {
	return []string{
		`{"plan":"free","limits":{"cpu":1}}`, `{"plan":"paid","limits":{}}`, `{}`, `[]`, `[1,{"a":null}]`, `"text"`, `true`, `null`, `9007199254740993`,
		fmt.Sprintf(`{"step":%d,"limits":{"cpu":%d}}`, c.step, c.step), `{"odd/name~":"\u2028<&>"}`,
	}[c.random.IntN(11)]
}

// send sends a request through Caddy, and fails if OPA does.
func (c *client) send(ctx context.Context, method, path, body string, header ...string) error {
	a, err := c.site.Do(ctx, method, c.site.URL+path, body, header...)
	if err == nil && a.Status >= 500 {
		err = fmt.Errorf("%s %s %s: %d %s", method, path, body, a.Status, a.Body)
	}
	return err
}

// patch is a JSON Patch of some operations: op, path and value, in turn.
func patch(operations ...string) string {
	var all []map[string]any
	for i := 0; i+2 < len(operations); i += 3 {
		one := map[string]any{"op": operations[i], "path": operations[i+1]}
		if operations[i] != "remove" {
			one["value"] = json.RawMessage(operations[i+2])
		}
		all = append(all, one)
	}
	text, _ := json.Marshal(all)
	return string(text)
}

// pointer is a name in a path of an operation, which OPA unescapes twice.
func pointer(name string) string {
	return url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
}

// deed is a kind of request.
type deed struct {
	name   string
	weight int
	do     func(ctx context.Context, c *client) error
}

var deeds = []deed{
	{"put of a document", 40, func(ctx context.Context, c *client) error {
		return c.send(ctx, http.MethodPut, app(c.id()), c.document())
	}},
	{"put of a document that must be new", 6, func(ctx context.Context, c *client) error {
		return c.send(ctx, http.MethodPut, app(c.id()), c.document(), "If-None-Match", "*")
	}},
	{"delete of a document", 20, func(ctx context.Context, c *client) error {
		return c.send(ctx, http.MethodDelete, app(c.id()), "")
	}},
	{"put within a document", 10, func(ctx context.Context, c *client) error {
		return c.send(ctx, http.MethodPut, app(c.id())+"/limits/cpu", fmt.Sprint(c.random.IntN(4)))
	}},
	{"delete within a document", 6, func(ctx context.Context, c *client) error {
		return c.send(ctx, http.MethodDelete, app(c.id())+"/limits", "")
	}},
	{"patch of a document", 10, func(ctx context.Context, c *client) error {
		return c.send(ctx, http.MethodPatch, app(c.id()), patch("add", "plan", `"new"`, "add", "/limits", fmt.Sprintf(`{"step":%d}`, c.step), "remove", "plan", ""))
	}},
	{"patch of several documents", 5, func(ctx context.Context, c *client) error {
		return c.send(ctx, http.MethodPatch, "/v1/data/apps", patch("add", pointer(c.id()), c.document(), "add", "/"+pointer(c.id()), c.document()))
	}},
	{"patch that moves a document", 4, func(ctx context.Context, c *client) error {
		return c.send(ctx, http.MethodPatch, "/v1/data", patch("remove", "apps/"+pointer(c.id()), "", "add", "/apps/"+pointer(c.id()), c.document()))
	}},
	{"put of all documents", 3, func(ctx context.Context, c *client) error {
		all := make(map[string]json.RawMessage)
		for range 4 {
			all[c.id()] = json.RawMessage(c.document())
		}
		text, err := json.Marshal(all)
		if err != nil {
			return err
		}
		if c.random.IntN(2) == 0 {
			return c.send(ctx, http.MethodPut, "/v1/data", `{"apps":`+string(text)+`,"other":1}`)
		}
		return c.send(ctx, http.MethodPut, "/v1/data/apps", string(text))
	}},
	{"delete of all documents", 2, func(ctx context.Context, c *client) error {
		return c.send(ctx, http.MethodDelete, "/v1/data/apps", "")
	}},
	{"change past Caddy", 3, func(ctx context.Context, c *client) error {
		_, err := c.site.Do(ctx, http.MethodPut, c.api+app(c.id()), c.document())
		return err
	}},
	{"what is no change", 12, func(ctx context.Context, c *client) error {
		return []func() error{
			func() error { return c.send(ctx, http.MethodPost, app(c.id()), `{"input":{}}`) },
			func() error { return c.send(ctx, http.MethodPost, "/v1/data", `{"input":{}}`) },
			func() error { return c.send(ctx, http.MethodPost, "/v1/query", `{"query":"data.apps.a = x"}`) },
			func() error { return c.send(ctx, http.MethodPut, "/v1/data/other/a", c.document()) },
			func() error { return c.send(ctx, http.MethodGet, app(c.id()), "") },
		}[c.random.IntN(5)]()
	}},
	{"what is refused", 12, func(ctx context.Context, c *client) error {
		return []func() error{
			func() error { return c.send(ctx, http.MethodPut, app(c.id()), `{"cut":`) },
			func() error { return c.send(ctx, http.MethodDelete, app("never"), "") },
			func() error { return c.send(ctx, http.MethodPatch, app(c.id()), patch("add", "a/b/c/d", "1")) },
			func() error {
				return c.send(ctx, http.MethodPatch, app(c.id()), patch("add", "half", "1", "remove", "never", ""))
			},
			func() error { return c.send(ctx, http.MethodPatch, app(c.id()), `[{"op":"move","path":"a"}]`) },
			func() error { return c.send(ctx, http.MethodPut, policy(c.name()), "package broken\n\nallow if {") },
			func() error { return c.send(ctx, http.MethodDelete, policy("never"), "") },
		}[c.random.IntN(7)]()
	}},
	{"put of a policy", 14, func(ctx context.Context, c *client) error {
		return c.send(ctx, http.MethodPut, policy(c.name()), c.rego())
	}},
	{"put of a policy twice", 4, func(ctx context.Context, c *client) error {
		name, rego := c.name(), c.rego()
		if err := c.send(ctx, http.MethodPut, policy(name), rego); err != nil {
			return err
		}
		return c.send(ctx, http.MethodPut, policy(name), rego)
	}},
	{"delete of a policy", 8, func(ctx context.Context, c *client) error {
		return c.send(ctx, http.MethodDelete, policy(c.name()), "")
	}},
}

// act sends one request at random, or two.
func (c *client) act(ctx context.Context) error {
	c.step++
	total := 0
	for _, d := range deeds {
		total += d.weight
	}
	at := c.random.IntN(total)
	for _, d := range deeds {
		if at -= d.weight; at >= 0 {
			continue
		}
		c.sent[d.name]++
		if err := d.do(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		break
	}
	return nil
}
