// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"fmt"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
)

// checked is what came of trying a filter.
type checked struct {
	State state
	Why   string
}

// check tries a filter on what has happened.
func (v *visit) check(filter, eventType string) (*checked, error) {
	if filter == "" {
		return &checked{State: state{"minus", "There is no filter: all events are sent", ""}}, nil
	}
	done, err := ask[callbacks.SievedView](&v.api, get("filter").with("filter", filter, "type", eventType))
	if p := asProblem(err); p != nil && len(p.Errors) > 0 && p.Status < http.StatusInternalServerError {
		return &checked{State: state{"warn", "It is no filter", "bad"}, Why: sentence(p.Errors[0].Detail)}, nil
	}
	if err != nil {
		return nil, err
	}
	of := done.Body
	switch {
	case of.Looked == 0:
		return &checked{State: state{"ok", "It can be used; there was no event since yesterday to try it on", "ok"}}, nil
	case of.Failed > 0:
		return &checked{
			State: state{"warn", fmt.Sprintf("It cannot be told for %d of %s, which are sent", of.Failed, counted(of.Looked, "event", "events")), "warn"},
			Why:   sentence(of.Error),
		}, nil
	}
	return &checked{State: state{"ok", fmt.Sprintf("Holds for %d of %s since yesterday", of.Kept, counted(of.Looked, "event", "events")), "ok"}}, nil
}

// checkFilter answers with what came of trying a filter, as a part of a page.
func checkFilter(v *visit) error {
	made, err := v.check(oneLine(v.r.URL.Query().Get("filter")), v.r.URL.Query().Get("type"))
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, View{Name: "filter", Title: "Filter", Section: "webhooks", Data: made})
}
