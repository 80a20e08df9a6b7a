// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// What is no Show is asked for again, whatever its status says; another form of the same
// is one.
func TestNoShow(t *testing.T) {
	const login = "<!DOCTYPE html><html><body><form action=/login></form></body></html>"
	hasher := event.NewHasher([32]byte{1})
	answered := func(kind, body string) show.Show {
		a := show.Show{Status: 200, Header: http.Header{}, Body: []byte(body)}
		if kind != "" {
			a.Header.Set("Content-Type", kind)
		}
		return a
	}
	for name, tc := range map[string]struct {
		before *show.Show // nil for an object that nobody has seen
		answer show.Show
		html   bool
		want   string // "" for a Show
	}{
		"JSON":                        {nil, answered("application/json", `{"v":1}`), false, ""},
		"JSON sent as HTML":           {nil, answered("text/html; charset=UTF-8", `{"v":1}`), false, ""},
		"a login form":                {nil, answered("text/html; charset=UTF-8", login), false, "a page of HTML"},
		"a login form without a type": {nil, answered("", "\n "+login), false, "a page of HTML"},
		"a login form as text":        {nil, answered("text/plain", strings.ToLower(login[15:])), false, "a page of HTML"},
		"XHTML":                       {nil, answered("application/xhtml+xml", "<html/>"), false, "a page of HTML"},
		"an object that is a page":    {nil, answered("text/html", login), true, ""},
		"text":                        {nil, answered("text/plain", "state=new"), false, ""},
		"XML":                         {nil, answered("application/xml", "<a><v>1</v></a>"), false, ""},

		"JSON, then a login form":          {pointer(answered("application/json", `{"v":1}`)), answered("text/html", login), false, "had fields before"},
		"JSON, then a page where allowed":  {pointer(answered("application/json", `{"v":1}`)), answered("text/html", login), true, "had fields before"},
		"JSON, then text":                  {pointer(answered("application/json", `{"v":1}`)), answered("text/plain", "try again later"), false, "had fields before"},
		"JSON, then half of it":            {pointer(answered("application/json", `{"v":1}`)), answered("application/json", `{"v":`), false, "had fields before"},
		"JSON, then null":                  {pointer(answered("application/json", `{"v":1}`)), answered("application/json", `null`), false, "had fields before"},
		"JSON, then a text in quotes":      {pointer(answered("application/json", `[1]`)), answered("application/json", `"unauthorized"`), false, "had fields before"},
		"JSON, then XML":                   {pointer(answered("application/json", `{"v":1}`)), answered("application/xml", "<a><v>2</v></a>"), false, ""},
		"JSON, then a form":                {pointer(answered("application/json", `{"v":1}`)), answered("application/x-www-form-urlencoded", "v=2"), false, ""},
		"JSON, then with another type":     {pointer(answered("application/json", `{"v":1}`)), answered("text/html", `{"v":2}`), false, ""},
		"XML, then a login form":           {pointer(answered("application/xml", "<a><v>1</v></a>")), answered("text/html", login), false, "had fields before"},
		"XML, then a page that looks like": {pointer(answered("application/xml", "<a><v>1</v></a>")), answered("text/html", "<html><v>2</v></html>"), false, "had fields before"},
		"text, then other text":            {pointer(answered("text/plain", "a")), answered("text/plain", "b"), false, ""},
		"text, then a login form":          {pointer(answered("text/plain", "a")), answered("text/html", login), false, "a page of HTML"},
	} {
		r := testResource(t)
		r.HTML, r.Version = tc.html, ""
		lease := queue.MarkLease{Mark: queue.Mark{Key: testKey, Hints: queue.HintUpdated}, MarkedAt: testTime}
		if tc.before != nil {
			d := r.decide(hasher, lease, *tc.before, testTime)
			if d.finding != moved {
				t.Errorf("%s: before: %v", name, d.finding)
			}
			lease.Snapshot = &d.next
		}
		d := r.decide(hasher, lease, tc.answer, testTime.Add(time.Hour))
		if (d.finding == unusable) != (tc.want != "") || !strings.Contains(d.reason, tc.want) {
			t.Errorf("%s: %v, %q; want %q", name, d.finding, d.reason, tc.want)
		}
	}
}

func pointer[T any](v T) *T { return &v }
