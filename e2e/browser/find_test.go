// SPDX-License-Identifier: Apache-2.0

package browser

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/runtime"
)

// element is one of a page's, found as a screen reader finds it: by its role and its name.
type element struct {
	tab  *tab
	what string
	id   runtime.RemoteObjectID
}

// inRole returns what has a role, by its name, and is not hidden from screen readers.
func (b *tab) inRole(role string) (map[string][]*accessibility.Node, error) {
	document, err := try(b, runtime.Evaluate, runtime.EvaluateParams{Expression: "document"})
	if err != nil {
		return nil, err
	}
	found, err := try(b, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: document.Result.ObjectID, Role: role})
	if err != nil {
		return nil, err
	}
	nodes := make(map[string][]*accessibility.Node)
	for _, node := range found.Nodes {
		var name string
		if node.Ignored || node.Name == nil || json.Unmarshal(node.Name.Value, &name) != nil {
			continue
		}
		// Where a line may break (<wbr>), Chromium has a space in the name.
		name = strings.NewReplacer(". ", ".", "/ ", "/").Replace(name)
		nodes[name] = append(nodes[name], node)
	}
	return nodes, nil
}

// look returns the one element with a role and a name that is there now.
func (b *tab) look(role, name string) (element, error) {
	e := element{tab: b, what: fmt.Sprintf("%s %q", role, name)}
	named, err := b.inRole(role)
	if err != nil {
		return e, err
	}
	nodes := named[strings.NewReplacer(". ", ".", "/ ", "/").Replace(name)]
	if len(nodes) != 1 {
		return e, fmt.Errorf("there are %d, of %q", len(nodes), slices.Sorted(maps.Keys(named)))
	}
	object, err := try(b, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: nodes[0].BackendDOMNodeID})
	if err != nil {
		return e, err
	}
	e.id = object.Object.ObjectID
	return e, nil
}

// find waits for the one element with a role and a name.
func (b *tab) find(role, name string) element {
	b.t.Helper()
	var e element
	eventually(b.t, fmt.Sprintf("%s %q", role, name), func() (err error) {
		if e, err = b.look(role, name); err != nil {
			err = fmt.Errorf("%w: %s", err, b.shown())
		}
		return err
	})
	return e
}

// shown returns what the page says, for errors.
func (b *tab) shown() string {
	text, err := evaluate[string](b, `location.href + " " + (document.querySelector("dialog[open]") ?? document.querySelector("main") ?? document.body).innerText`)
	if err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(text[:min(len(text), 700)]), " ")
}

// at waits until a page is there that has a heading, and has loaded.
func (b *tab) at(heading string) {
	b.t.Helper()
	b.find("heading", heading)
	b.loaded()
}

// reads waits until the page says something.
func (b *tab) reads(text string) {
	b.t.Helper()
	quoted, err := json.Marshal(text)
	if err != nil {
		b.t.Fatal(err)
	}
	eventually(b.t, "the page says "+text, func() error {
		there, err := evaluate[bool](b, `document.body?.innerText.includes(`+string(quoted)+`)`)
		if err == nil && !there {
			err = errors.New(b.shown())
		}
		return err
	})
}

// leads waits until the page's address has a text, and the page has loaded.
func (b *tab) leads(text string) {
	b.t.Helper()
	eventually(b.t, "the page leads to "+text, func() error {
		at, err := evaluate[string](b, `location.href`)
		if err == nil && !strings.Contains(at, text) {
			err = errors.New(at)
		}
		return err
	})
	b.loaded()
}

// gone waits until there is no such element any more.
func (b *tab) gone(role, name string) {
	b.t.Helper()
	eventually(b.t, fmt.Sprintf("%s %q goes", role, name), func() error {
		if _, err := b.look(role, name); err == nil {
			return errors.New("it is there")
		}
		return nil
	})
}

// call calls a function on an element, as this.
func call[T any](e element, function string) (T, error) {
	answer, err := try(e.tab, runtime.CallFunctionOn, runtime.CallFunctionOnParams{FunctionDeclaration: function, ObjectID: e.id, ReturnByValue: yes(), AwaitPromise: yes()})
	return result[T](answer.Result, answer.ExceptionDetails, err)
}

// of returns what a function is of an element.
func of[T any](t *testing.T, e element, function string) T {
	t.Helper()
	value, err := call[T](e, function)
	if err != nil {
		t.Fatalf("%s: %v", e.what, err)
	}
	return value
}
