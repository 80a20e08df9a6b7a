// SPDX-License-Identifier: Apache-2.0

package pocketbase

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
)

// PocketBase's own feed works the same through Caddy: a stream that never ends,
// and must not be held back.
func TestRealtime(t *testing.T) {
	l := newLab(t)
	ctx := deadline(t)
	direct, proxied := l.follow(t, l.api.url()), l.follow(t, l.proxy)
	id := "realtime0000000"
	path := records("articles")
	if _, err := l.want(ctx, http.StatusOK, http.MethodPost, path, map[string]any{"id": id, "title": "new"}); err != nil {
		t.Fatal(err)
	}
	path += "/" + id
	for n := 1; n <= 10; n++ {
		// Each message arrives while the stream is open and nothing follows it.
		if _, err := proxied.await(ctx, id, n); err != nil {
			t.Fatalf("waiting for message %d through Caddy: %v", n, err)
		}
		if _, err := l.want(ctx, http.StatusOK, http.MethodPatch, path, map[string]any{"title": fmt.Sprint(n), "amount": n}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.want(ctx, http.StatusNoContent, http.MethodDelete, path, nil); err != nil {
		t.Fatal(err)
	}
	want, err := direct.await(ctx, id, 12)
	if err != nil {
		t.Fatal(err)
	}
	got, err := proxied.await(ctx, id, 12)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(got, want, func(a, b message) bool { return a.action == b.action && string(a.record) == string(b.record) }) {
		t.Errorf("through Caddy: %+v\nwithout: %+v", got, want)
	}
}
