// SPDX-License-Identifier: Apache-2.0

package opa

import (
	"context"
	"encoding/json"
	"maps"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/open-policy-agent/opa/v1/plugins"
	"github.com/open-policy-agent/opa/v1/server"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/e2e/internal/witness"
	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// feed is what OPA's store tells its triggers: each commit, in order.
type feed struct {
	*witness.Journal[witness.Change]

	t     *testing.T
	store storage.Store
	// known are the states of all objects since the last commit.
	known map[string]string
}

// startAPI starts an Open Policy Agent with an empty store, and returns its address.
func startAPI(t *testing.T) (address string, told *feed) {
	t.Helper()
	ctx := t.Context()
	told = &feed{Journal: witness.NewJournal[witness.Change](), t: t, store: inmem.New(), known: make(map[string]string)}
	err := storage.Txn(ctx, told.store, storage.WriteParams, func(txn storage.Transaction) error {
		_, err := told.store.Register(ctx, txn, storage.TriggerConfig{OnCommit: told.commit})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	manager, err := plugins.New([]byte("{}"), "e2e", told.store)
	if err != nil {
		t.Fatal(err)
	}
	if err := manager.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { manager.Stop(context.WithoutCancel(ctx)) })
	api, err := server.New().WithStore(told.store).WithManager(manager).Init(ctx)
	if err != nil {
		t.Fatal(err)
	}
	serving := httptest.NewServer(api.Handler)
	t.Cleanup(serving.Close)
	return serving.Listener.Addr().String(), told
}

// commit notes the objects that a commit made, changed or removed.
func (f *feed) commit(ctx context.Context, txn storage.Transaction, change storage.TriggerEvent) {
	now := maps.Clone(f.known)
	for _, policy := range change.Policy {
		object := f.object("policies", policy.ID)
		if now[object] = string(policy.Data); policy.Removed {
			delete(now, object)
		}
	}
	if change.DataChanged() {
		maps.DeleteFunc(now, func(object, _ string) bool { return object[:len("apps/")] == "apps/" })
		apps, err := f.store.Read(ctx, txn, storage.Path{"apps"})
		if err != nil && !storage.IsNotFound(err) {
			f.t.Errorf("reading what a commit made: %v", err)
		}
		documents, _ := apps.(map[string]any)
		for id, document := range documents {
			text, err := json.Marshal(document)
			if err != nil {
				f.t.Errorf("the document %s: %v", id, err)
			}
			now[f.object("apps", id)] = string(event.Canonical(text))
		}
	}
	all := maps.Clone(now)
	maps.Copy(all, f.known)
	for _, object := range slices.Sorted(maps.Keys(all)) {
		before, was := f.known[object]
		state, is := now[object]
		switch {
		case !was:
			f.Add(witness.Change{Object: object, Op: "create", State: state})
		case !is:
			f.Add(witness.Change{Object: object, Op: "delete", State: witness.Gone})
		case before != state:
			f.Add(witness.Change{Object: object, Op: "change", State: state})
		}
	}
	f.known = now
}

func (f *feed) object(resource, id string) string {
	key, err := event.NewKey(resource, id)
	if err != nil {
		f.t.Errorf("%s %q: %v", resource, id, err)
	}
	return key.String()
}

// state returns the state that a payload shows, in the form of the feed.
func state(object string, payload []byte) string {
	if object[:len("apps/")] == "apps/" {
		return string(event.Canonical([]byte(gjson.GetBytes(payload, "result").Raw)))
	}
	return gjson.GetBytes(payload, "result.raw").String()
}
