// SPDX-License-Identifier: Apache-2.0

package cursor

import (
	"errors"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func FuzzDecode(f *testing.F) {
	f.Add(string(Encode(Events, Place{Position: 1})))
	f.Add(string(Encode(Attempts, Place{Position: 1 << 63, Endpoint: "erp", Number: 300})))
	f.Add("")
	f.Add("AQEAAAAAAAAAAf8")
	f.Fuzz(func(t *testing.T, text string) {
		for list := Events; list <= Unresolved; list++ {
			place, ok, err := Decode(list, queue.Cursor(text))
			if err != nil {
				if !errors.Is(err, queue.ErrBadCursor) {
					t.Errorf("got %v", err)
				}
				continue
			}
			if !ok {
				continue
			}
			again, _, err := Decode(list, Encode(list, place))
			if err != nil || again != place {
				t.Errorf("%+v became %+v and %v", place, again, err)
			}
		}
	})
}

func TestLimit(t *testing.T) {
	for limit, want := range map[int]int{-1: 50, 0: 50, 1: 1, 1000: 1000, 1001: 1000} {
		if got := Limit(queue.Page{Limit: limit}); got != want {
			t.Errorf("Limit(%d) = %d, want %d", limit, got, want)
		}
	}
}
