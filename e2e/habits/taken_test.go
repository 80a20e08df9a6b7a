// SPDX-License-Identifier: Apache-2.0

//go:build linux

package habits

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// Without the line that a habit needs, something is lost, invented or told wrongly, or
// the operator reads why: each line matters, and so does the comparison.
func TestLinesTakenOut(t *testing.T) {
	for name, tc := range map[string]struct {
		of, line string
		// want is what the comparison, a record, coverage or a mark says.
		want string
	}{
		"the next page":      {"django", "next next\n", ".created of "},
		"the API's name":     {"rails", "header_up Host api.example.com\n", "answered with 403"},
		"suffixes":           {"rails", "endings .json\n", ".json, which the API never had"},
		"overridden methods": {"rails", "method_override header:X-HTTP-Method-Override request:_method\n", "lost"},
		"soft deletes":       {"laravel", `gone where "response.data.deleted_at != null"`, `"deleted_at":"2026`},
		"the credential":     {"laravel", `header_up Authorization "Bearer operator"`, "answered with 302"},
		"sessions":           {"spring", "endings ;jsessionid=*\n", "servers read the request's path in different ways"},
		"the link's end":     {"spring", "next _links.next.href\n", ".created of "},
		"the trash":          {"wordpress", "gone where status is trash\n", `"status":"trash"`},
		"a cache's lag":      {"wordpress", "lag 4s\n", "lost"},
		"errors with 200":    {"old", "refused where error exists\n", "the response has no id"},
		"numbered pages":     {"old", "page page\n", ".created of "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := profiles[tc.of]
			if !strings.Contains(p.rules+p.upstream, tc.line) {
				t.Fatalf("there is no %q", tc.line)
			}
			p.rules, p.upstream = strings.ReplaceAll(p.rules, tc.line, ""), strings.ReplaceAll(p.upstream, tc.line, "")
			s := newStage(t, p)
			s.mix(t, 2, 30)
			s.Eventually(t, fmt.Sprintf("something says %q", tc.want), testTimeout, func() error {
				rest := s.rests()
				said := strings.Join(s.records(t), "\n") + s.said(t, "/webhooks/coverage") + s.said(t, "/webhooks/marks")
				for _, problem := range s.problems() {
					// What is not told yet is lost only when nothing is left to do.
					if rest == nil || !strings.HasPrefix(problem, "lost") {
						said += "\n" + problem
					}
				}
				if !strings.Contains(said, tc.want) {
					return fmt.Errorf("%w: %.3000s", rest, said)
				}
				return nil
			})
			s.Kill()
		})
	}
}

// said returns what a view says.
func (s *stage) said(t *testing.T, view string) string {
	t.Helper()
	var all json.RawMessage
	if err := s.Ask(view, &all); err != nil {
		t.Fatal(err)
	}
	return string(all)
}
