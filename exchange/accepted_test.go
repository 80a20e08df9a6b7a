// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// What an accepted request will make is told by its job, whose id stands in the answer.
func TestAccepted(t *testing.T) {
	later := func(path string) *syntax.Resource {
		return &syntax.Resource{Name: "reports", Rules: []*syntax.Rule{{
			Kind: "create", Methods: []string{"POST"}, Path: "/reports",
			Later: &syntax.Later{Query: syntax.Query{Request: syntax.Request{Path: path}, IDs: "result.id"}},
		}}}
	}
	for name, tc := range map[string]struct {
		path, body, location string
		status               int
		want                 string // the mark's key, without the query's name, or "?" for a record
	}{
		"the job's id":              {"/jobs/{response:job.id}", `{"job":{"id":"17"}}`, "", 202, "@later/17"},
		"in the query":              {"/jobs?id={response:job}", `{"job":17}`, "", 202, "@later/17"},
		"under the name of ids":     {"/jobs/{response:id}", `{"id":"17"}`, "", 202, "@later/17"},
		"beside a name":             {"/jobs/{response:job}/{query:part}", `{"job":"17"}`, "", 202, "@later/17/a"},
		"with a Location":           {"/jobs/{response:job}", `{"job":"17"}`, "/reports/r9", 202, "reports/r9"},
		"a Location elsewhere":      {"/jobs/{response:job}", `{"job":"17"}`, "/jobs/17", 202, "@later/17"},
		"the Location of the job":   {"{location}", `{"id":"17"}`, "/jobs/17", 202, "@later//jobs/17"},
		"done at once":              {"/jobs/{response:id}", `{"id":"r9"}`, "", 201, "reports/r9"},
		"no job":                    {"/jobs/{response:job}", `{}`, "", 202, "?"},
		"two jobs, under one name":  {"/jobs/{response:job}", `{"job":"17","job":"18"}`, "", 202, "?"},
		"an id that is no id":       {"/jobs/{response:job}", `{"job":"a/b"}`, "", 202, "?"},
		"several, where one counts": {"/jobs/{response:job}", `{"job":["17","18"]}`, "", 202, "?"},
	} {
		q := new(recordingQueue)
		header := map[string]string{}
		if tc.location != "" {
			header["Location"] = tc.location
		}
		if _, err := send(watcherFor(t, q, later(tc.path)), "POST", "/reports?part=a", "{}", answers(tc.status, header, tc.body)); err != nil {
			t.Fatal(err)
		}
		got := q.only(t).resolution
		key := "?"
		if len(got.Marks) == 1 && got.Unresolved == "" {
			if key = got.Marks[0].Key.Resource; strings.Contains(key, "@later") {
				key = "@later"
			}
			key += "/" + strings.Join(got.Marks[0].Key.Parts(), "/")
		}
		if key != tc.want || (tc.want == "?") != (got.Unresolved != "") {
			t.Errorf("%s: %s, %q; want %s", name, key, got.Unresolved, tc.want)
		}
	}
}
