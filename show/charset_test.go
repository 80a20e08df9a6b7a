// SPDX-License-Identifier: Apache-2.0

package show

import (
	"io"
	"net/http"
	"testing"
)

// A Show is handed on in UTF-8, with the type of that.
func TestCharsetOfShow(t *testing.T) {
	for name, tc := range map[string]struct{ contentType, encoding, body, want, wantType string }{
		"latin1":                    {"application/json; charset=latin1", "", "{\"a\":\"\xe4\"}", `{"a":"ä"}`, "application/json; charset=utf-8"},
		"a charset as the encoding": {"application/json", "utf-8", `{"a":"ä"}`, `{"a":"ä"}`, "application/json"},
		"decoded on the way":        {"application/json", "gzip", `{"a":1}`, `{"a":1}`, "application/json"},
	} {
		u := upstream(func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", tc.contentType)
			if tc.encoding != "" {
				w.Header().Set("Content-Encoding", tc.encoding)
			}
			_, err := io.WriteString(w, tc.body)
			return err
		})
		got, err := u.Read(t.Context(), Request{Method: "GET", Path: "/"})
		if err != nil || string(got.Body) != tc.want || got.Header.Get("Content-Type") != tc.wantType || got.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %q %v, %v", name, got.Body, got.Header, err)
		}
	}
}
