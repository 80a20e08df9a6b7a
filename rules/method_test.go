// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// unreadable is a body that nobody may read.
type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body is read")
	return 0, http.ErrBodyReadAfterClose
}

// Whatever a POST states, its body is not read where no rule is about its path.
func TestStatedMethodReadsNoBody(t *testing.T) {
	overrides, err := ParseValues([]string{"request:_method"})
	if err != nil {
		t.Fatal(err)
	}
	set := compileFor(t, &syntax.Resource{Name: "items"})
	for _, target := range []string{"/", "/others", "/other/7/../x", "/item%73x"} {
		r := httptest.NewRequest(http.MethodPost, target, unreadable{t})
		r.ContentLength = -1
		var hit Match
		if set.Find(&Request{HTTP: r, Method: r.Method, Limit: 1 << 20, Overrides: overrides}, &hit) {
			t.Errorf("%s matches %s", target, hit.Rule.Name)
		}
	}
}
