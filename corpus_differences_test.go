// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// A receiver of patches that gets all events ends, after each, with what the API
// shows: in every story of the corpus, with `keep show`. The patches are applied by
// a library.
func TestCorpusInPatches(t *testing.T) {
	pages, err := filepath.Glob("testdata/exchanges/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal("no corpus", err)
	}
	seen := make(map[string]int)
	for _, page := range append(pages, "docs/configuration.md") {
		for _, s := range storiesOf(t, page) {
			t.Run(filepath.Base(page)+": "+s.name, func(t *testing.T) {
				runPatched(t, s, seen)
			})
		}
	}
	// The corpus has enough of each.
	for _, what := range []string{"create", "whole", "delete", "patch", "skipped"} {
		if seen[what] == 0 {
			t.Errorf("there was no %s: %v", what, seen)
		}
	}
	t.Log(seen)
}

// runPatched runs a story, and follows it by its patches. Payloads that the story
// expects may have others with `keep show`, those of deletes; they are not compared.
func runPatched(t *testing.T, s story, seen map[string]int) {
	var lines []string
	for _, line := range scriptLines(s.script) {
		if !strings.HasPrefix(line, "=") {
			lines = append(lines, strings.ReplaceAll(line, "\n", "\n|"))
		}
	}
	runScriptKeeping(t, true, s.name, s.rules, strings.Join(lines, "\n"), func(s *script) {
		var all []event.Event
		for cursor := queue.Cursor(""); ; {
			events, next, err := s.store.Events(t.Context(), queue.Filter{}, queue.Page{Cursor: cursor, Limit: queue.MaxLimit})
			if err != nil {
				t.Fatal(err)
			}
			if all = append(all, events...); next == "" {
				break
			}
			cursor = next
		}
		slices.Reverse(all)
		receivers := map[payload.Kind]*patched{payload.Patch: newPatched(t, payload.Patch), payload.Merge: newPatched(t, payload.Merge)}
		for i := range all {
			e, err := s.store.Event(t.Context(), all[i].ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range receivers {
				r.take(t, &e, seen)
			}
		}
	})
}

// patched is a receiver that holds objects, and what it knows them by.
type patched struct {
	format  payload.Format
	objects map[string]held
}

type held struct {
	state uint64
	show  []byte // nil if it is deleted
}

func newPatched(t *testing.T, kind payload.Kind) *patched {
	format, err := payload.New(payload.Config{Kind: kind})
	if err != nil {
		t.Fatal(err)
	}
	return &patched{format: format, objects: make(map[string]held)}
}

// take does what docs/payloads.md tells receivers to do.
func (p *patched) take(t *testing.T, e *event.Event, seen map[string]int) {
	t.Helper()
	var got struct {
		Object       string
		Base         *uint64
		State        uint64
		Deleted      bool
		Exact        *bool
		Patch, Merge json.RawMessage
		Changed      *[]string
	}
	body := p.format.Render(e).Bytes
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if e.Op == event.OpCreate {
		seen["create"]++
	}
	was := p.objects[got.Object]
	now := held{state: got.State}
	switch {
	case was.state >= got.State:
		seen["skipped"]++
		now = was
	case got.Deleted:
		seen["delete"]++
	case got.Base != nil && *got.Base != was.state:
		t.Fatalf("event %d of %s is based on %d, and the receiver holds %d", e.Sequence, e.Key, *got.Base, was.state)
	default:
		kind := "patch"
		if got.Base == nil {
			kind = "whole"
		}
		seen[kind]++
		if got.Changed == nil && got.Base != nil {
			t.Errorf("event %d of %s does not say what changed", e.Sequence, e.Key)
		}
		now.show = p.apply(t, was.show, got.Patch, got.Merge, got.Base == nil)
		if got.Exact != nil && !*got.Exact {
			now.show = e.Payload // asked of the API
		}
	}
	p.objects[got.Object] = now
	if shows := readOr(e.Payload); e.Op != event.OpDelete && was.state < got.State && !reflect.DeepEqual(readOr(now.show), shows) {
		t.Fatalf("%s\nmakes %s\nof %s\nwant %s", body, now.show, was.show, e.Payload)
	}
}

func (p *patched) apply(t *testing.T, was, patch, merge []byte, whole bool) []byte {
	t.Helper()
	switch {
	case patch != nil:
		if whole {
			was = []byte("{}")
		}
		decoded, err := jsonpatch.DecodePatch(patch)
		if err != nil {
			t.Fatal(err)
		}
		if value := only(patch); value != nil {
			return value // the library takes no text for a document
		}
		made, err := decoded.Apply(bytes.TrimSpace(was))
		if err != nil {
			t.Fatalf("applying %s to %s: %v", patch, was, err)
		}
		return made
	case whole:
		return merge
	default:
		made, err := jsonpatch.MergePatch(bytes.TrimSpace(was), merge)
		if err != nil {
			t.Fatalf("merging %s with %s: %v", was, merge, err)
		}
		return made
	}
}

// only returns the value of a patch that replaces the whole.
func only(patch []byte) []byte {
	var operations []struct {
		Path  *string
		Value json.RawMessage
	}
	if json.Unmarshal(patch, &operations) == nil && len(operations) == 1 && *operations[0].Path == "" {
		return operations[0].Value
	}
	return nil
}

// readOr reads JSON with numbers as they are written, or a text.
func readOr(text []byte) any {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return string(text)
	}
	return value
}
