// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// requireKnown returns an error that refuses a request that has found nothing, if
// that is because it names what there is not: an empty answer would look as if all
// was well.
func (s *Server) requireKnown(ctx context.Context, store queue.Store, f queue.Filter) error {
	if f.Endpoint != "" {
		if err := s.requireEndpoint(ctx, store, f.Endpoint); err != nil {
			return err
		}
	}
	if !f.Key.IsZero() {
		if err := s.requireResource(ctx, store, f.Key); err != nil {
			return err
		}
	}
	if f.Type != "" && !s.makes(f.Type) {
		return refuse(http.StatusNotFound, "no rule makes events of the type %q; %s", f.Type, thereAre(s.types()))
	}
	if f.EventID != "" {
		if _, err := store.Event(ctx, f.EventID); errors.Is(err, queue.ErrNotFound) {
			return refuse(http.StatusNotFound, "there is no event %s, or it is older than the retention", f.EventID)
		}
	}
	return nil
}

// requireEndpoint refuses the name of an endpoint that nobody has configured or made, and
// of which nothing is kept.
func (s *Server) requireEndpoint(ctx context.Context, store queue.Store, name string) error {
	if _, known := s.Pipeline.Endpoints().Get(name); known || s.stands(name) {
		return nil
	}
	// One that has just been made is not delivered to yet, but it is there.
	if _, err := store.Record(ctx, queue.KindEndpoint, name); !errors.Is(err, queue.ErrNotFound) {
		return err
	}
	kept, _, err := store.Deliveries(ctx, queue.Filter{Endpoint: name}, queue.Page{Limit: 1})
	if err != nil || len(kept) > 0 {
		return err
	}
	return s.unknown(name)
}

// maxNamed is how many names an error tells.
const maxNamed = 20

// unknown refuses the name of an endpoint, and says which there are.
func (s *Server) unknown(name string) error {
	names := map[string]bool{}
	for e := range s.Pipeline.Endpoints().All() {
		names[e.Name] = true
	}
	if working := s.Pipeline.Emitter(); working != nil {
		for name := range working.Standings() {
			names[name] = true
		}
	}
	sorted := slices.Sorted(maps.Keys(names))
	if more := len(sorted) - maxNamed; more > 0 {
		sorted = append(sorted[:maxNamed], fmt.Sprintf("and %d more; see caddy webhooks endpoints", more))
	}
	return refuse(http.StatusNotFound, "there is no endpoint %q; %s", name, thereAre(sorted))
}

// requireResource refuses an object of a resource that is not configured, unless the
// object is known from before.
func (s *Server) requireResource(ctx context.Context, store queue.Store, key event.Key) error {
	if _, err := s.resource(key.Resource); err == nil || key.Resource == emitter.OperationalResource {
		return nil
	}
	if _, err := store.Object(ctx, key); !errors.Is(err, queue.ErrNotFound) {
		return err
	}
	var names []string
	for _, r := range s.Resources {
		names = append(names, r.Name)
	}
	return refuse(http.StatusNotFound, "there is no resource %q; %s", key.Resource, thereAre(names))
}

// types returns the types of events that the rules make, as they are written.
func (s *Server) types() []string {
	var types []string
	for _, r := range s.Resources {
		types = append(types, r.Types...)
	}
	return types
}

// operationalTypes is what the types of events about endpoints begin with.
const operationalTypes = "webhooks."

// makes reports whether there may be events of a type: of a type that is made of
// what a Show holds, the beginning says so.
func (s *Server) makes(eventType string) bool {
	if strings.HasPrefix(eventType, operationalTypes) {
		return true
	}
	return slices.ContainsFunc(s.types(), func(written string) bool {
		beginning, _, open := strings.Cut(written, "{")
		return written == eventType || open && strings.HasPrefix(eventType, beginning)
	})
}

// thereAre says which names there are.
func thereAre(names []string) string {
	if len(names) == 0 {
		return "none is configured"
	}
	return fmt.Sprintf("there are %s", strings.Join(names, ", "))
}
