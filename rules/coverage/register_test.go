// SPDX-License-Identifier: Apache-2.0

package coverage

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func key(method, path string) string { return string(appendKey(nil, method, path)) }

func TestTemplate(t *testing.T) {
	for path, want := range map[string]string{
		"":                                     "/",
		"/":                                    "/",
		"//":                                   "/",
		"/items":                               "/items",
		"/items/":                              "/items",
		"//items//42":                          "/items/:id",
		"/items/42/parts/7/x/9":                "/items/:id/parts/:id2/x/:id3",
		"/v1/api/v2beta1/oauth2/utf8":          "/v1/api/v2beta1/oauth2/utf8",
		"/bulkUpdateTransactions/make_payment": "/bulkUpdateTransactions/make_payment",
		"/items/internationalization":          "/items/internationalization",
		// What looks like an id.
		"/i/6f9619ff-8b86-d011-b42d-00c04fc964ff":     "/i/:id",
		"/i/01ARZ3NDEKTSV4RRFFQ69G5FAV":               "/i/:id",
		"/i/deadbeefdeadbeef":                         "/i/:id",
		"/i/507f1f77bcf86cd799439011":                 "/i/:id",
		"/i/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79oj": "/i/:id",
		"/i/cus_9s6XKzkNRiz8i3":                       "/i/:id",
		"/i/item_42":                                  "/i/:id",
		"/i/ORD-1001":                                 "/i/:id",
		"/i/a1b2":                                     "/i/:id",
		"/i/2026-01-31":                               "/i/:id",
		"/i/42.json":                                  "/i/:id",
		"/i/4.5":                                      "/i/:id",
		"/i/someone@example.com":                      "/i/:id",
		"/i/someone%40example.com":                    "/i/:id",
		"/i/J\u00fcrgen":                              "/i/:id",
		"/i/a b":                                      "/i/:id",
		"/i/Items(42)":                                "/i/:id",
		"/i/" + strings.Repeat("x", 41):               "/i/:id",
		// Limits.
		strings.Repeat("/a", 17):                       strings.Repeat("/a", 16) + "/*",
		strings.Repeat("/"+strings.Repeat("w", 40), 9): strings.Repeat("/"+strings.Repeat("w", 40), 5) + "/*",
	} {
		if got := key("PUT", path); got != "PUT "+want {
			t.Errorf("%s: %s; want %s", path, got, want)
		}
	}
	for method, want := range map[string]string{"PATCH": "PATCH", "": "OTHER", "A B": "OTHER", strings.Repeat("X", 17): "OTHER"} {
		if got := key(method, "/a"); got != want+" /a" {
			t.Errorf("%q: %s", method, got)
		}
	}
}

func TestSuggestion(t *testing.T) {
	for request, want := range map[string]Suggestion{
		"PATCH /orders/:id":             {"orders", "", "update PATCH /orders/:id"},
		"PUT /orders/:id":               {"orders", "", "update PUT /orders/:id"},
		"DELETE /orders/:id":            {"orders", "", "delete DELETE /orders/:id"},
		"POST /orders":                  {"orders", "", "create POST /orders"},
		"POST /orders/:id":              {"orders", "", "update POST /orders/:id"},
		"POST /orders/:id/cancel":       {"orders", "", "update POST /orders/:id/cancel"},
		"DELETE /orders/:id/hold":       {"orders", "", "update DELETE /orders/:id/hold"},
		"POST /api/v1/orders":           {"orders", "show GET /api/v1/orders/:id", "create POST /api/v1/orders"},
		"PUT /api/v1/orders/:id":        {"orders", "show GET /api/v1/orders/:id", "update PUT /api/v1/orders/:id"},
		"POST /orders/:id/lines":        {"lines", "show GET /orders/:orderId/lines/:id", "create POST /orders/:orderId/lines"},
		"DELETE /orders/:id/lines/:id2": {"lines", "show GET /orders/:orderId/lines/:id", "delete DELETE /orders/:orderId/lines/:id"},
		"PUT /v2-x/:id/lines/:id2/note": {"lines", "show GET /v2-x/:parentid/lines/:id", "update PUT /v2-x/:parentid/lines/:id/note"},
		"POST /rpc":                     {"rpc", "", "create POST /rpc"},
		"PUT /settings":                 {},
		"PUT /:id":                      {},
		"PUT /a/:id/:id2":               {},
		"POST /":                        {},
		"OTHER /orders/:id":             {},
		"PUT /a/b/*":                    {},
	} {
		method, template, _ := strings.Cut(request, " ")
		if got := suggest(method, template); got != want {
			t.Errorf("%s: %+v; want %+v", request, got, want)
		}
	}
}

func TestReport(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r := New(func() time.Time { return now })
	if report := r.Report(); len(report.Lines) != 0 || report.Other != 0 {
		t.Errorf("an empty register reports %+v", report)
	}
	r.Note("PATCH", "/orders/1")
	first := now
	now = now.Add(time.Minute)
	r.Note("POST", "/orders")
	r.Note("PATCH", "/orders/2")
	report := r.Report()
	if len(report.Lines) != 2 {
		t.Fatalf("%+v", report)
	}
	want := Line{"PATCH", "/orders/:id", 2, first, now, Suggestion{"orders", "", "update PATCH /orders/:id"}}
	if report.Lines[0] != want {
		t.Errorf("%+v; want %+v", report.Lines[0], want)
	}
	if line := report.Lines[1]; line.Method != "POST" || line.Count != 1 || line.First != now || line.Last != now {
		t.Errorf("%+v", line)
	}
	r.Forget(func(method, template string) bool { return method == "PATCH" && template == "/orders/:id" })
	if report := r.Report(); len(report.Lines) != 1 || report.Lines[0].Method != "POST" || !report.Since.Equal(first) {
		t.Errorf("after PATCH has a rule: %+v", report)
	}
}

// G10: however many kinds of requests come, a limited number is kept, and every
// request is in the sum.
func TestBound(t *testing.T) {
	r := New(nil)
	const each, workers = 2, 8
	words := make([]string, 2*MaxTemplates)
	for i := range words {
		words[i] = "/w" + strings.Map(func(c rune) rune { return c - '0' + 'a' }, fmt.Sprint(i))
	}
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for range each {
				for _, word := range words {
					r.Note("PUT", word)
				}
			}
		})
	}
	wait.Wait()
	report := r.Report()
	sum := report.Other
	for _, line := range report.Lines {
		sum += line.Count
		if line.Count != each*workers {
			t.Errorf("%s was counted %d times, want %d", line.Template, line.Count, each*workers)
		}
	}
	if len(report.Lines) != MaxTemplates || sum != uint64(len(words)*each*workers) {
		t.Errorf("%d kinds and %d requests, want %d and %d", len(report.Lines), sum, MaxTemplates, len(words)*each*workers)
	}
}

func TestNoteDoesNotAllocate(t *testing.T) {
	r := New(nil)
	r.Note("PATCH", "/api/v1/orders/6f9619ff-8b86-d011-b42d-00c04fc964ff/lines/7")
	if n := testing.AllocsPerRun(100, func() {
		r.Note("PATCH", "/api/v1/orders/6f9619ff-8b86-d011-b42d-00c04fc964ff/lines/7")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzNote(f *testing.F) {
	f.Add("PATCH", "/api/v1/orders/6f9619ff-8b86-d011-b42d-00c04fc964ff")
	f.Add("", "a//b/%2f/\xff")
	f.Add("POST", "/orders/:id/*")
	f.Fuzz(func(t *testing.T, method, path string) {
		got := key(method, path)
		if len(got) > maxTemplate || !strings.Contains(got, " /") || strings.ContainsAny(got, "%@\n") {
			t.Errorf("%q %q: %q", method, path, got)
		}
		r := New(nil)
		r.Note(method, path)
		if report := r.Report(); len(report.Lines) != 1 || report.Lines[0].Method+" "+report.Lines[0].Template != got {
			t.Errorf("%+v; want %s", report, got)
		}
	})
}

func BenchmarkNote(b *testing.B) {
	r := New(nil)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r.Note("PATCH", "/api/v1/orders/6f9619ff-8b86-d011-b42d-00c04fc964ff/lines/7")
		}
	})
}
