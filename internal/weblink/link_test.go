// SPDX-License-Identifier: Apache-2.0

package weblink_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/internal/weblink"
)

func TestNext(t *testing.T) {
	for _, test := range []struct {
		field, want string
	}{
		{`</items?page=2>; rel="next"`, "/items?page=2"},
		{`</items?page=2>; rel=next`, "/items?page=2"},
		{`</items?page=2>;REL="NEXT"`, "/items?page=2"},
		{`</items?page=2> ; rel = "next"`, "/items?page=2"},
		// Commas and semicolons belong to the target.
		{`</items?fields=id,name&page=2>; rel="next"`, "/items?fields=id,name&page=2"},
		{`</items?a=1;b=2>; rel="next"`, "/items?a=1;b=2"},
		// Several types in one rel, in any order.
		{`</items?page=2>; rel="next last"`, "/items?page=2"},
		{`</items?page=2>; rel="https://example.com/rel	next"`, "/items?page=2"},
		{`</items?page=2>; rel="nextpage"`, ""},
		// Other links and parameters around it.
		{`</p>; rel=prev, </n,2>; title="a, b; rel=x \" <y>"; rel="next", </l>; rel=last`, "/n,2"},
		{`</p>; rel=prev,, </n>; crossorigin; rel=next`, "/n"},
		{`</p>; rel=prev, </n>; rel=next, </m>; rel=next`, "/n"},
		// The first rel counts.
		{`</n>; rel=prev; rel=next`, ""},
		// A link about another resource is none of this one's.
		{`</n>; anchor="/others"; rel=next`, ""},
		// What is no link.
		{``, ""},
		{`next`, ""},
		{`</n`, ""},
		{`</n>`, ""},
		{`</n>; rel`, ""},
		{`</n>; rel="next`, "/n"},
		{`/n; rel=next`, ""},
	} {
		if got := weblink.Next(http.Header{"Link": {test.field}}); got != test.want {
			t.Errorf("%s: got %q, want %q", test.field, got, test.want)
		}
	}
	fields := http.Header{"Link": {`</p>; rel=prev`, `</n>; rel=next`}}
	if got := weblink.Next(fields); got != "/n" {
		t.Errorf("in a second field: got %q", got)
	}
}

// Whatever an API sends, parsing ends, and a target is part of what it sent.
func FuzzParse(f *testing.F) {
	f.Add(`</items?fields=id,name&page=2>; rel="next last", </p>; rel=prev; title="a\"b"`)
	f.Add(`<>;;=,"<`)
	f.Fuzz(func(t *testing.T, field string) {
		for _, link := range weblink.Parse(field) {
			if !strings.Contains(field, link.Target) {
				t.Errorf("%q is no part of %q", link.Target, field)
			}
		}
	})
}
