// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/e2e/internal/witness"
	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// all is the path of all widgets of all namespaces.
const all = "/apis/example.com/v1/widgets"

// meta is what the test reads of a widget.
type meta struct {
	Metadata struct {
		Namespace, Name, ResourceVersion string
	}
}

func (m meta) object() string { return "widgets/" + m.Metadata.Namespace + "/" + m.Metadata.Name }

// state returns the state that a payload shows.
func state(_ string, payload []byte) string { return string(event.Canonical(payload)) }

// follow watches all widgets from now on, until the test ends.
func follow(t *testing.T, api, token string) *witness.Journal[witness.Change] {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	site := &witness.Site{Client: http.DefaultClient}
	a, err := site.Do(ctx, http.MethodGet, api+all, "", "Authorization", "Bearer "+token)
	if err != nil {
		t.Fatal(err)
	}
	var now meta
	if err := json.Unmarshal(a.Body, &now); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, api+all+"?watch=1&resourceVersion="+now.Metadata.ResourceVersion, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("watching: %v %v", response, err)
	}
	told, done := witness.NewJournal[witness.Change](), make(chan struct{})
	go func() {
		defer close(done)
		defer response.Body.Close()
		lines := json.NewDecoder(response.Body)
		for {
			change, err := next(lines)
			if err != nil {
				if ctx.Err() == nil {
					t.Errorf("the watch ended: %v", err)
				}
				return
			}
			told.Add(change)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return told
}

func next(lines *json.Decoder) (witness.Change, error) {
	var line struct {
		Type   string
		Object json.RawMessage
	}
	if err := lines.Decode(&line); err != nil {
		return witness.Change{}, err
	}
	var about meta
	if err := json.Unmarshal(line.Object, &about); err != nil {
		return witness.Change{}, err
	}
	change := witness.Change{Object: about.object(), State: state("", line.Object)}
	switch line.Type {
	case "ADDED":
		change.Op = "create"
	case "MODIFIED":
		change.Op = "change"
	case "DELETED":
		change.Op, change.State = "delete", witness.Gone
	default:
		return change, fmt.Errorf("%s: %s", line.Type, line.Object)
	}
	return change, nil
}
