// SPDX-License-Identifier: Apache-2.0

package where

import "testing"

// Whatever is written, it is refused or can be evaluated.
func FuzzCompile(f *testing.F) {
	for _, text := range []string{"request.a > 0", "query['a'] == header.b", "request.l.exists(x, x == path.id)", "has(request.a.b)", "'a' in query", "request[?'a'].orValue(1) == 1"} {
		f.Add(text, false)
	}
	f.Add("status == 200 && response.ok", true)
	f.Fuzz(func(_ *testing.T, text string, answer bool) {
		e, err := Compile(text, answer)
		if err != nil {
			return
		}
		_, _ = e.Holds(map[string]any{
			Request: map[string]any{"a": int64(1)}, Response: []any{}, Status: int64(200),
			Path: map[string]string{}, Query: map[string]string{"a": "b"}, Header: map[string]string{},
		})
	})
}
