// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/pipeline"
)

// namedByRequests takes the place of an endpoint's URL if requests name its
// receivers: `endpoint notify.items requests { … }` says how events are delivered to
// the receivers that the `notify` of resource items finds.
const namedByRequests = "requests"

// isNamed reports whether requests name the endpoint's receivers.
func (e *Endpoint) isNamed() bool {
	return e.URL == namedByRequests
}

// checkNamed refuses options that an endpoint cannot have if requests name its
// receivers, and the names of such endpoints for others.
func (e *Endpoint) checkNamed() error {
	_, reserved := strings.CutPrefix(e.Name, pipeline.CallbackPrefix)
	switch {
	case e.isNamed() && !reserved:
		return fmt.Errorf("url: its receivers are named by requests, so its name is %sRESOURCE", pipeline.CallbackPrefix)
	case !e.isNamed() && reserved:
		return fmt.Errorf("names that begin with %q are those of endpoints whose receivers requests name; give it another, or write `endpoint %s %s`",
			pipeline.CallbackPrefix, e.Name, namedByRequests)
	case e.isNamed() && (len(e.Events) > 0 || e.Filter != "" || e.Tenant != ""):
		return errors.New("events, filter and tenant: which events its receivers get stands in the resource's `notify`; leave them out")
	}
	return nil
}

// validateNamed returns what is wrong with an endpoint whose URL requests name. It is
// found when the configuration is read, not when it starts.
func validateNamed(e endpoint.Endpoint) error {
	e.URL = "https://receiver.invalid"
	return e.Validate()
}

// callbacks returns the endpoints of the receivers that requests name, one for each
// resource with a `notify`, by resource. One that is not declared is delivered to
// unsigned, with all defaults.
func (a *App) callbacks() map[string]endpoint.Endpoint {
	callbacks := make(map[string]endpoint.Endpoint)
	unused := maps.Clone(a.named)
	for _, r := range a.resources() {
		if r.Callback == nil {
			continue
		}
		name := pipeline.CallbackPrefix + r.Name
		delete(unused, name)
		made, declared := a.named[name]
		if !declared {
			made = endpoint.Endpoint{Name: name, Signatures: []sign.Scheme{}}
		}
		callbacks[r.Name] = made
	}
	for name := range unused {
		a.log.Warn("no resource of the endpoint's name has a notify, so it gets nothing", zap.String("endpoint", name))
	}
	return callbacks
}
