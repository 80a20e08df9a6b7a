// SPDX-License-Identifier: Apache-2.0

package queryapi

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// send makes a request, and returns the status and the answer.
func send(a *API, method, target, contentType, body string, headers ...string) (int, string) {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	a.Handler().ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

// checkChanges compares the changes that the API recorded.
func checkChanges(t *testing.T, a *API, want ...Change) {
	t.Helper()
	if got := a.Changes(); !slices.Equal(got, want) {
		t.Errorf("changes %+v; want %+v", got, want)
	}
}
