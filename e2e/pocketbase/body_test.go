// SPDX-License-Identifier: Apache-2.0

package pocketbase

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Files are uploaded as multipart forms. Only superusers can see notes, so
// their events also prove that Shows are read with the operator's credential.
// Notes have no time of change: a request that changes nothing makes no event.
func TestUpload(t *testing.T) {
	l := newLab(t)
	ctx := deadline(t)
	a, err := l.upload(ctx, http.MethodPost, records("notes"), map[string]string{"text": "with a file"}, "plan.txt")
	if err != nil {
		t.Fatal(err)
	}
	id := recordID(t, a)
	l.matches(ctx, t, "notes", id, 1, "notes.created")

	path := records("notes") + "/" + id
	for _, r := range []struct {
		status int
		method string
		body   any
	}{
		{http.StatusForbidden, http.MethodGet, nil},
		{http.StatusBadRequest, http.MethodPatch, map[string]any{"text": ""}},
		{http.StatusOK, http.MethodPatch, map[string]any{"text": "with a file"}},
		{http.StatusOK, http.MethodPatch, map[string]any{}},
	} {
		if _, err := l.want(ctx, r.status, r.method, path, r.body); err != nil {
			t.Fatal(err)
		}
		l.catchUp(ctx, t)
	}
	if _, err := l.upload(ctx, http.MethodPatch, path, nil, "another plan.txt"); err != nil {
		t.Fatal(err)
	}
	got := l.matches(ctx, t, "notes", id, 2, "notes.updated")
	var note struct{ Attachment string }
	if err := json.Unmarshal(got.payload, &note); err != nil || len(note.Attachment) < len("another_plan") {
		t.Errorf("the payload %s does not name the new file (%v)", got.payload, err)
	}
	if got.freshness != string(event.FreshnessUnproven) {
		t.Errorf("freshness %s, want %s", got.freshness, event.FreshnessUnproven)
	}
	if _, err := l.want(ctx, http.StatusNoContent, http.MethodDelete, path, nil); err != nil {
		t.Fatal(err)
	}
	l.matches(ctx, t, "notes", id, 3, "notes.deleted")
}

// If a client accepts gzip, PocketBase answers with it. The module must decode
// it too: only the response to a create has the id, and the version of the new
// object.
func TestGzip(t *testing.T) {
	l := newLab(t)
	ctx := deadline(t)
	id := recordID(t, l.gzipped(ctx, t, http.MethodPost, records("articles"), `{"title":"compressed"}`))
	created := l.matches(ctx, t, "articles", id, 1, "articles.created")
	if created.freshness != string(event.FreshnessVersion) {
		t.Errorf("the create's freshness is %s: the version in its response was not understood", created.freshness)
	}
	l.gzipped(ctx, t, http.MethodPatch, records("articles")+"/"+id, `{"title":"compressed again"}`)
	l.matches(ctx, t, "articles", id, 2, "articles.updated")
}

// matches waits for the n-th event of a record and compares it with what
// PocketBase shows.
func (l *lab) matches(ctx context.Context, t *testing.T, collection, id string, n int, kind string) delivery {
	t.Helper()
	got, err := l.receiver.next(ctx, collection+"/"+id, n)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := l.show(ctx, collection, id)
	if err != nil {
		t.Fatal(err)
	}
	same := bytes.Equal(got.payload, shown.body)
	if shown.status == http.StatusNotFound {
		same = got.deleted()
	}
	if got.kind != kind || !same {
		t.Fatalf("event %d: %s %s, want %s; PocketBase shows %d %s", n, got.kind, got.payload, kind, shown.status, shown.body)
	}
	return got
}

// catchUp waits until the module has looked at all notes that changed so far:
// those that wait longest come first, so a new one comes after them.
func (l *lab) catchUp(ctx context.Context, t *testing.T) {
	t.Helper()
	a, err := l.want(ctx, http.StatusOK, http.MethodPost, records("notes"), map[string]any{"text": "one more"})
	if err != nil {
		t.Fatal(err)
	}
	l.matches(ctx, t, "notes", recordID(t, a), 1, "notes.created")
}

// upload sends a multipart form with a file.
func (l *lab) upload(ctx context.Context, method, path string, fields map[string]string, file string) (answer, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range fields {
		if err := form.WriteField(name, value); err != nil {
			return answer{}, err
		}
	}
	part, err := form.CreateFormFile("attachment", file)
	if err != nil {
		return answer{}, err
	}
	if _, err := io.WriteString(part, "the contents of "+file); err != nil {
		return answer{}, err
	}
	if err := form.Close(); err != nil {
		return answer{}, err
	}
	r, err := http.NewRequestWithContext(ctx, method, l.proxy+path, &body)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	a, err := l.do(r)
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("%s %s: %d %s", method, path, a.status, a.body)
	}
	return a, err
}

// gzipped sends a request that must be answered with gzip, and returns the
// decompressed answer.
func (l *lab) gzipped(ctx context.Context, t *testing.T, method, path, body string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, l.proxy+path, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept-Encoding", "gzip")
	a, err := l.do(r)
	if err != nil {
		t.Fatal(err)
	}
	if a.header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("%s %s is answered without gzip: %d %s", method, path, a.status, a.body)
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	if a.body, err = io.ReadAll(io.LimitReader(unpacked, 1<<20)); err != nil {
		t.Fatal(err)
	}
	return a
}

func recordID(t *testing.T, a answer) string {
	t.Helper()
	var record struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(a.body, &record); err != nil || record.ID == "" {
		t.Fatalf("no id in %d %s (%v)", a.status, a.body, err)
	}
	return record.ID
}
