// SPDX-License-Identifier: Apache-2.0

package browser

import (
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
)

// wrong says what of an event no page may cause, "" for all others.
func wrong(event any) string {
	switch event := event.(type) {
	case *runtime.EventExceptionThrown:
		text := event.ExceptionDetails.Text
		if thrown := event.ExceptionDetails.Exception; thrown != nil {
			text += " " + thrown.Description
		}
		return "uncaught: " + text
	case *runtime.EventConsoleAPICalled:
		if event.Type == runtime.ConsoleAPICalledTypeError || event.Type == runtime.ConsoleAPICalledTypeWarning || event.Type == runtime.ConsoleAPICalledTypeAssert {
			return "in the console: " + spoken(event.Args)
		}
	case *log.EventEntryAdded:
		// What the network says is told by its own events, with the statuses.
		if entry := event.Entry; entry.Source != log.EntrySourceNetwork && (entry.Level == log.EntryLevelError || entry.Level == log.EntryLevelWarning) {
			return fmt.Sprintf("in the log: %s (%s)", entry.Text, entry.Source)
		}
	case *audits.EventIssueAdded:
		return fmt.Sprintf("an issue: %s %s", event.Issue.Code, detailsOf(event.Issue.Details))
	case *network.EventLoadingFailed:
		// A page that is left cancels what it loads.
		if !event.Canceled {
			return fmt.Sprintf("%s does not load: %s %s", event.Type, event.ErrorText, event.BlockedReason)
		}
	}
	return ""
}

// spoken returns what a script has written into the console.
func spoken(args []*runtime.RemoteObject) string {
	var words []string
	for _, arg := range args {
		words = append(words, string(arg.Value)+arg.Description)
	}
	return strings.Join(words, " ")
}

// detailsOf returns what the content policy has stopped.
func detailsOf(d *audits.InspectorIssueDetails) string {
	if d == nil || d.ContentSecurityPolicyIssueDetails == nil {
		return ""
	}
	of := d.ContentSecurityPolicyIssueDetails
	return fmt.Sprintf("%s of %s", of.ViolatedDirective, of.BlockedURL)
}

// What no page may do is seen, each by itself; and of a page that does nothing wrong,
// nothing is said.
func TestTabsComplain(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src *"
	bodies := map[string]string{
		"/fine": `<p>fine</p>`, "/inline": `<p style="color:red">x</p>`, "/missing": `<img alt="" src="/none.png">`, "/broken": `<img alt="" src="/500">`,
		"/elsewhere": `<img alt="" src="` + other.URL + `/x.png">`, "/inline-script": `<script>alert(1)</script>`,
		"/throws": `<script src="/s.js?throw"></script>`, "/console": `<script src="/s.js?console"></script>`, "/alert": `<script src="/s.js?alert"></script>`,
		"/unlabelled": `<label for="nothing">x</label>`,
	}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		switch r.URL.Path {
		case "/s.js":
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = fmt.Fprint(w, map[string]string{"throw": `throw new Error("thrown here")`, "console": `console.warn("mind this")`, "alert": `setTimeout(() => alert("look"))`}[r.URL.RawQuery])
		case "/favicon.ico":
			w.WriteHeader(http.StatusNoContent)
		case "/500":
			w.WriteHeader(http.StatusInternalServerError)
		default:
			body, known := bodies[r.URL.Path]
			if !known {
				http.NotFound(w, r)
				return
			}
			_ = template.Must(template.New("").Parse(`<!doctype html><html lang="en"><title>t</title>{{.}}</html>`)).Execute(w, template.HTML(body)) //nolint:gosec // the test's own
		}
	}))
	t.Cleanup(site.Close)
	for path, want := range map[string]string{
		"/inline": "ContentSecurityPolicyIssue style-src", "/missing": "answered with 404", "/broken": "answered with 500",
		"/elsewhere": "another site", "/inline-script": "script-src", "/throws": "thrown here", "/console": "mind this",
	} {
		b := quietTab(t, site.URL)
		b.open(path)
		b.excuse(want)
	}
	b := quietTab(t, site.URL)
	b.open("/fine")
	if heard := b.heard(); len(heard) > 0 {
		t.Errorf("of nothing, it complains: %q", heard)
	}
}
