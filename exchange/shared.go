// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/batch"
)

// maker makes the exchanges of a request, which share its response.
type maker func(answer *tee) []*exchange

// parts makes an exchange for each resource that has a rule about a request.
func (w *Watcher) parts(request rules.Request, found rules.Match) maker {
	return func(answer *tee) []*exchange {
		each := w.opts.Rules.FindEach(&request, &found)
		if len(each) == 0 {
			return w.withMade(answer, request, newExchange(w, answer, request, found))
		}
		var others []*rules.Resource
		for i := range each[1:] {
			if m := &each[1+i].Match; m.Unread == nil {
				others = append(others, m.Rule.Resource)
			}
		}
		all := make([]*exchange, 0, len(each))
		for i := range each {
			request.Method = each[i].Method
			elsewhere := others
			if i > 0 {
				elsewhere = w.allBut(each[i].Match.Rule.Resource)
			}
			all = append(all, w.withMade(answer, request, newExchange(w, answer, request, each[i].Match, elsewhere...))...)
		}
		return all
	}
}

// withMade adds the part of the object that a move makes to that of the one it ends.
func (w *Watcher) withMade(answer *tee, request rules.Request, x *exchange) []*exchange {
	if x.match.Rule.Makes == nil || x.match.Unread != nil {
		return []*exchange{x}
	}
	// The body may have been read, and is replayed to whoever reads it now.
	request.HTTP = x.passed
	found := x.match
	found.Rule = x.match.Rule.Makes
	return []*exchange{x, newExchange(w, answer, request, found, w.opts.Rules.Resources...)}
}

// batches makes an exchange for each resource that the members of a batch are about.
// Whole takes the batch apart, nil if it is an array.
func (w *Watcher) batches(request rules.Request, found [][]rules.Member, whole *batch.Batch) maker {
	return func(answer *tee) []*exchange {
		all := make([]*exchange, 0, len(found))
		for _, members := range found {
			var elsewhere []*rules.Resource
			if len(found) > 1 {
				elsewhere = w.allBut(members[0].Match.Rule.Resource)
			}
			all = append(all, newBatch(w, answer, request, members, whole, elsewhere...))
		}
		return all
	}
}

// allBut returns all resources but one.
func (w *Watcher) allBut(one *rules.Resource) []*rules.Resource {
	return slices.DeleteFunc(slices.Clone(w.opts.Rules.Resources), func(r *rules.Resource) bool { return r == one })
}

// watch passes a request on, with intents noted before and resolved after.
func (w *Watcher) watch(writer http.ResponseWriter, next caddyhttp.Handler, of maker) error {
	if w.opts.Clients != nil {
		w.opts.Clients.Enter()
		defer w.opts.Clients.Leave()
	}
	answer := newTee(writer)
	parts := of(answer)
	for _, x := range parts {
		w.Remembered.begin(x)
	}
	if err := beginAll(parts); err != nil && w.opts.Refuse {
		// An intent that was not noted in time may be noted yet. The API does not
		// get the request, so nobody else would close it.
		for _, x := range parts {
			x.resolve(event.OutcomeUnchanged)
			w.Remembered.end(x, event.OutcomeUnchanged)
		}
		return caddyhttp.Error(http.StatusServiceUnavailable, fmt.Errorf("noting the intent: %w", err))
	}
	whole := false
	var err error
	// The proxy panics through us when either side breaks off within the body.
	// The panic is not recovered: the server above must get it.
	defer func() {
		for _, x := range parts {
			x.end(err, whole)
		}
	}()
	err = next.ServeHTTP(answer, answer.counted(parts[0].passed))
	whole = true
	return err
}

// beginAll notes the intents of all parts, at the same time: they wait for one disk,
// and the client for all of them.
func beginAll(parts []*exchange) error {
	if len(parts) == 1 {
		return parts[0].begin()
	}
	errs := make([]error, len(parts))
	var notes sync.WaitGroup
	for i, x := range parts {
		notes.Go(func() { errs[i] = x.begin() })
	}
	notes.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
