// SPDX-License-Identifier: Apache-2.0

package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is a window of its own, with its own cookies. It fails its test if a page does what
// none may.
type tab struct {
	t   *testing.T
	ctx context.Context // chromedp's handle of the tab
	// origin is the site's: requests go nowhere else.
	origin string

	mu         sync.Mutex
	complaints []string
	// documents are the statuses of the pages that were loaded, the last one last.
	documents []int64
	// loads are the pages that have loaded with all that is in them.
	loads map[cdp.LoaderID]bool
}

// yes is a parameter that is on.
func yes() *bool {
	on := true
	return &on
}

// newTab opens a tab for a site. What it complains of fails the test at its end.
func newTab(t *testing.T, origin string) *tab {
	t.Helper()
	b := quietTab(t, origin)
	t.Cleanup(func() {
		for _, complaint := range b.heard() {
			t.Errorf("the browser complains: %s", complaint)
		}
	})
	return b
}

// quietTab opens a tab whose complaints are for the test to read.
func quietTab(t *testing.T, origin string) *tab {
	t.Helper()
	b := &tab{t: t, origin: origin, loads: make(map[cdp.LoaderID]bool)}
	ctx, cancel := chromedp.NewContext(shared.start(t), chromedp.WithNewBrowserContext(), chromedp.WithListener(b.hear))
	t.Cleanup(cancel)
	b.ctx = ctx
	// The tab lives as long as the context of the first call.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("opening a tab: %v", err)
	}
	do(b, accessibility.Enable, cdp.Empty{})
	do(b, audits.Enable, cdp.Empty{})
	// Tabs side by side all behave as the one in front.
	do(b, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	return b
}

// do sends a command to a tab's browser.
func do[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	answer, err := try(b, command, params)
	if err != nil {
		b.t.Fatalf("%s: %v", command.Method, err)
	}
	return answer
}

// try sends a command that may fail, as one about a page that is leaving.
func try[P, R any](b *tab, command cdp.Command[P, R], params P) (R, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Call(ctx, command, params)
}

// hear notes what is wrong.
func (b *tab) hear(event any) {
	switch event := event.(type) {
	case *network.EventResponseReceived:
		b.hearAnswer(event)
	case *network.EventRequestWillBeSent:
		if to := event.Request.URL; !strings.HasPrefix(to, b.origin+"/") {
			b.complain("a request to another site: %s", to)
		}
	case *page.EventLifecycleEvent:
		if event.Name == "load" {
			b.mu.Lock()
			b.loads[event.LoaderID] = true
			b.mu.Unlock()
		}
	case *page.EventJavascriptDialogOpening:
		b.complain("a script opens a dialog: %s", event.Message)
	default:
		if text := wrong(event); text != "" {
			b.complain("%s", text)
		}
	}
}

// hearAnswer notes what is wrong with an answer, and the status of pages. Pages may be
// refusals, and what they load may not.
func (b *tab) hearAnswer(event *network.EventResponseReceived) {
	of := event.Response
	b.mu.Lock()
	if event.Type == network.ResourceTypeDocument {
		b.documents = append(b.documents, of.Status)
	}
	b.mu.Unlock()
	if of.Status >= 500 || of.Status >= 400 && event.Type != network.ResourceTypeDocument {
		b.complain("%s %s was answered with %d", event.Type, of.URL, of.Status)
	}
}

func (b *tab) complain(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = append(b.complaints, fmt.Sprintf(format, args...))
}

// heard returns the complaints until now.
func (b *tab) heard() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.complaints...)
}

// excuse waits until there is a complaint with a text, and forgets all that have it.
func (b *tab) excuse(text string) {
	b.t.Helper()
	eventually(b.t, "a complaint of "+text, func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		var others []string
		for _, complaint := range b.complaints {
			if !strings.Contains(complaint, text) {
				others = append(others, complaint)
			}
		}
		if len(others) == len(b.complaints) {
			return fmt.Errorf("there are only %q", others)
		}
		b.complaints = others
		return nil
	})
}

// status returns that of the page.
func (b *tab) status() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.documents) == 0 {
		return 0
	}
	return b.documents[len(b.documents)-1]
}

// open goes to a page, and waits until it has loaded.
func (b *tab) open(path string) {
	b.t.Helper()
	to := path
	if strings.HasPrefix(path, "/") {
		to = b.origin + path
	}
	answer := do(b, page.Navigate, page.NavigateParams{URL: to})
	if answer.ErrorText != "" {
		b.t.Fatalf("opening %s: %s", to, answer.ErrorText)
	}
	// Until it is there, the page before it answers for it.
	eventually(b.t, "the page "+to+" loads", func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if answer.LoaderID != "" && !b.loads[answer.LoaderID] {
			return errNotYet
		}
		return nil
	})
}

// loaded waits until the page that is there has loaded, with its scripts.
func (b *tab) loaded() {
	b.t.Helper()
	eventually(b.t, "the page loads", func() error {
		state, err := evaluate[string](b, `document.readyState`)
		if err == nil && state != "complete" {
			err = errors.New(state)
		}
		return err
	})
}

// scripts turns the scripts of pages on or off. The debugger's own run all the same.
func (b *tab) scripts(on bool) {
	b.t.Helper()
	do(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
}

// size sets the width and the height of the window.
func (b *tab) size(width, height int64) {
	b.t.Helper()
	do(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
}

// theme sets whether the system is light or dark.
func (b *tab) theme(name string) {
	b.t.Helper()
	do(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
}

// cookie sets one of the site's, which is sent wherever a request comes from, as those of
// careless servers are.
func (b *tab) cookie(name, value string) {
	b.t.Helper()
	do(b, network.SetCookie, network.SetCookieParams{Name: name, Value: value, URL: b.origin + "/", Secure: yes(), SameSite: network.CookieSameSiteNone})
}

// evaluate has the debugger evaluate an expression in the page, which no content policy
// stops.
func evaluate[T any](b *tab, expression string) (T, error) {
	answer, err := try(b, runtime.Evaluate, runtime.EvaluateParams{Expression: expression, ReturnByValue: yes(), AwaitPromise: yes()})
	return result[T](answer.Result, answer.ExceptionDetails, err)
}

// must returns what an expression is in the page.
func must[T any](b *tab, expression string) T {
	b.t.Helper()
	value, err := evaluate[T](b, expression)
	if err != nil {
		b.t.Fatal(err)
	}
	return value
}

// result reads what the debugger has answered.
func result[T any](of *runtime.RemoteObject, thrown *runtime.ExceptionDetails, err error) (value T, _ error) {
	switch {
	case err != nil:
		return value, err
	case thrown != nil && thrown.Exception != nil:
		return value, errors.New(thrown.Exception.Description)
	case thrown != nil:
		return value, errors.New(thrown.Text)
	case of == nil || len(of.Value) == 0:
		return value, nil
	}
	return value, json.Unmarshal(of.Value, &value)
}
