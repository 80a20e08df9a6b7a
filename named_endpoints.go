// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// namedByRequests stands in place of an endpoint's URL where requests name the
// receivers: `endpoint notify.items requests { … }` says how the receivers are
// delivered to that the `notify` of resource items finds.
const namedByRequests = "requests"

// isNamed tells whether requests name the endpoint's receivers.
func (e *Endpoint) isNamed() bool {
	return e.URL == namedByRequests
}

// checkNamed refuses what an endpoint cannot have whose receivers requests name,
// and the names of such endpoints for others.
func (e *Endpoint) checkNamed() error {
	_, reserved := strings.CutPrefix(e.Name, callbackPrefix)
	switch {
	case e.isNamed() && !reserved:
		return fmt.Errorf("url: its receivers are named by requests, so its name is %sRESOURCE", callbackPrefix)
	case !e.isNamed() && reserved:
		return fmt.Errorf("names that begin with %q are those of endpoints whose receivers requests name; give it another, or write `endpoint %s %s`",
			callbackPrefix, e.Name, namedByRequests)
	case e.isNamed() && (len(e.Events) > 0 || e.Tenant != ""):
		return errors.New("events and tenant: which events its receivers get stands in the resource's `notify`; leave them out")
	}
	return nil
}

// namedTargets returns the endpoints whose receivers requests name, one for each
// resource with a `notify`. What is not declared is delivered unsigned, with
// all defaults.
func (a *App) namedTargets(transport *egress.Transport) []emitter.Target {
	var targets []emitter.Target
	unused := maps.Clone(a.named)
	for _, r := range a.resources() {
		if r.Callback == nil {
			continue
		}
		name := callbackPrefix + r.Name
		delete(unused, name)
		made, declared := a.named[name]
		if !declared {
			made = endpoint.Endpoint{Name: name, Signatures: []sign.Scheme{}}
		}
		targets = append(targets, emitter.Target{
			Endpoint: made, Transport: transport.With(made.TLS), Tokens: transport.With(made.TLS.ForTokens()),
			Resolve: a.receiverOf(r.Name),
		})
	}
	for name := range unused {
		a.log.Warn("no resource of the endpoint's name has a notify, so it gets nothing", zap.String("endpoint", name))
	}
	return targets
}

// errQueueClosed is returned while the queue is not open.
var errQueueClosed = errors.New("the queue is not open")

// receiverOf returns how the receiver of an object is found.
func (a *App) receiverOf(resource string) func(context.Context, event.Key) (emitter.Address, error) {
	return func(ctx context.Context, key event.Key) (emitter.Address, error) {
		store := a.engine.store.Load()
		if store == nil {
			return emitter.Address{}, errQueueClosed
		}
		named, err := a.receiver(ctx, store, resource, key)
		if errors.Is(err, queue.ErrNotFound) {
			return emitter.Address{}, emitter.ErrNoReceiver
		}
		if err != nil {
			return emitter.Address{}, err
		}
		return emitter.Address{URL: named.URL, Authorization: named.Authorization}, nil
	}
}
