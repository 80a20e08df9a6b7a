// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/e2e/internal/witness"
)

// client does anything that the API knows with the widgets of a namespace, at random,
// through Caddy. Many requests are refused, or change nothing.
type client struct {
	site             *witness.Site
	token, namespace string
	random           *rand.Rand
	// answers counts the answers by what was asked and status.
	answers map[string]int
}

var names = []string{"a", "me", "0", "a.b-c", "rolling.v1.2", strings.Repeat("long-", 40) + "name"}

func (c *client) pick(from ...string) string { return from[c.random.IntN(len(from))] }

func (c *client) path() string { return "/apis/example.com/v1/namespaces/" + c.namespace + "/widgets" }

// widget returns a widget, perhaps with a finalizer or a label. There are few different
// ones, so that some requests change nothing.
func (c *client) widget(name, more string) string {
	return fmt.Sprintf(`{"apiVersion":"example.com/v1","kind":"Widget","metadata":{%s%s"labels":{"shelf":%q}},"spec":{"size":%s,"color":"<ü> & %s"}}`,
		name, more, c.pick("x", "y", "z"), c.pick("1", "2", `"none"`, "9007199254740993"), c.pick("red", "blue"))
}

// act sends one request.
func (c *client) act(ctx context.Context) error {
	name := c.pick(names...)
	one, named := c.path()+"/"+name, fmt.Sprintf(`"name":%q,`, name)
	finalizer := c.pick("", "", `"finalizers":["example.com/held"],`)
	switch dice := c.random.IntN(100); {
	case dice < 20:
		return c.send(ctx, "create", http.MethodPost, c.path()+c.pick("", "", "", "?dryRun=All"), c.widget(named, finalizer), "json")
	case dice < 24:
		return c.send(ctx, "generate", http.MethodPost, c.path(), c.widget(`"generateName":"made-",`, ""), "json")
	case dice < 34:
		return c.put(ctx, one, named)
	case dice < 48:
		patch := `{"spec":{"size":` + c.pick("1", "2", `"none"`) + `}}`
		return c.send(ctx, "merge", http.MethodPatch, one+c.pick("", "", "", "?dryRun=All"), patch, "merge-patch+json")
	case dice < 54:
		patch := `[{"op":"` + c.pick("replace", "test") + `","path":"/spec/color","value":"` + c.pick("red", "green") + `"}]`
		return c.send(ctx, "json", http.MethodPatch, one, patch, "json-patch+json")
	case dice < 62:
		return c.send(ctx, "apply", http.MethodPatch, one+"?fieldManager=test&force="+c.pick("true", "false"), c.widget(named, ""), "apply-patch+yaml")
	case dice < 70:
		return c.send(ctx, "status", http.MethodPatch, one+"/status", `{"status":{"phase":"`+c.pick("on", "off")+`"}}`, "merge-patch+json")
	case dice < 78:
		return c.send(ctx, "release", http.MethodPatch, one, `{"metadata":{"finalizers":null}}`, "merge-patch+json")
	case dice < 92:
		return c.send(ctx, "delete", http.MethodDelete, one+c.pick("", "", "", "?dryRun=All"), c.pick("", "", `{"dryRun":["All"]}`), "json")
	case dice < 96:
		return c.send(ctx, "deletecollection", http.MethodDelete, c.path()+"?labelSelector=shelf%3D"+c.pick("x", "y"), "", "json")
	}
	return c.send(ctx, "list", http.MethodGet, c.path()+"?limit=1", "", "json")
}

// put replaces a widget, with the version that it has or an old one.
func (c *client) put(ctx context.Context, path, named string) error {
	a, err := c.do(ctx, http.MethodGet, path, "", "json")
	if err != nil {
		return err
	}
	version := c.pick("1", "")
	if _, after, found := strings.Cut(string(a.Body), `"resourceVersion":"`); found {
		version, _, _ = strings.Cut(after, `"`)
	}
	return c.send(ctx, "put", http.MethodPut, path, c.widget(named, `"resourceVersion":"`+version+`",`), "json")
}

func (c *client) do(ctx context.Context, method, path, body, kind string) (witness.Answer, error) {
	return c.site.Do(ctx, method, c.site.URL+path, body, "Authorization", "Bearer "+c.token, "Content-Type", "application/"+kind)
}

func (c *client) send(ctx context.Context, what, method, path, body, kind string) error {
	a, err := c.do(ctx, method, path, body, kind)
	// A patch to apply that has a value of another type is answered with 500.
	if err == nil && a.Status >= 500 && what != "apply" {
		err = fmt.Errorf("%s %s: %d %s", method, path, a.Status, a.Body)
	}
	c.answers[fmt.Sprint(what, " ", a.Status)]++
	return err
}
