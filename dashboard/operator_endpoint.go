// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/http"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
)

// operatedEndpoint is one endpoint, as operators see it: how it fares, and what can be done.
// What is sent to it is its tenant's, and not shown.
type operatedEndpoint struct {
	endpointRow

	Events []string
	// Stored is true for one that its tenant has made.
	Stored, Down  bool
	RetryAt       time.Time
	InFlight      int
	Expired       int
	Latest        []operatedDelivery
	Notice, Error string
	// Held is true if it gets nothing until somebody resumes it, Gone if it is not there.
	Held, Gone bool
}

// operatedDelivery is a delivery, without what was sent.
type operatedDelivery struct {
	Type, Object string
	State        state
	Attempts     int
	Last         string
	At           time.Time
}

// shownDeliveries is how many deliveries the page of an endpoint has.
const shownDeliveries = "10"

// endpointOf reads one endpoint.
func (v *visit) endpointOf(name string) (operatedEndpoint, error) {
	var p operatedEndpoint
	list, err := operate[admin.List[admin.EndpointView]](v, get("endpoints").with("name", name))
	if err != nil || len(list.Items) == 0 {
		return p, err
	}
	e := &list.Items[0]
	p = operatedEndpoint{
		endpointRow: rowOfEndpoint(e), Stored: e.Stored, Down: e.Down, RetryAt: e.RetryAt, InFlight: e.InFlight, Expired: e.Expired,
		Held: e.Status == "paused" || e.Status == "disabled", Gone: e.Status == "gone",
	}
	for _, pattern := range e.Events {
		p.Events = append(p.Events, visible(pattern))
	}
	if e.Stored && !p.Gone {
		// Its label is sealed in the tenant's own record.
		own, err := operate[callbacks.EndpointView](v, get("endpoints", name))
		if err != nil && !isRefused(err, http.StatusNotFound) {
			return p, err
		}
		p.Label = visible(own.Label)
	}
	return p, nil
}

// showEndpoint shows one endpoint.
func showEndpoint(v *visit) error { return v.showEndpointAs(http.StatusOK, "") }

// showEndpointAs shows the endpoint of the path, with what is wrong with what was asked for.
func (v *visit) showEndpointAs(status int, wrong string) error {
	name := v.r.PathValue("name")
	p, err := v.endpointOf(name)
	if err != nil {
		return err
	}
	p.Notice, p.Error = v.done(), wrong
	list, err := operate[admin.List[admin.DeliveryView]](v, get("deliveries").with("endpoint", name, "limit", shownDeliveries))
	if err != nil {
		return err
	}
	for i := range list.Items {
		d := &list.Items[i]
		p.Latest = append(p.Latest, operatedDelivery{
			Type: visible(d.EventType), Object: visible(d.Object), State: stateOf(deliveryStates, string(d.Status)), Attempts: d.Attempts,
			Last: sentence(visible(d.LastError)), At: d.CreatedAt,
		})
	}
	title := p.Shown
	if p.Label != "" {
		title = p.Label
	}
	return v.operating(status, "op-endpoint", title, p)
}

// endpointPath returns the path of the page of an endpoint, below that of operators.
func endpointPath(name string) string { return "endpoints/" + pathSegment(name) }

// holding does something to an endpoint, and goes back to its page, which says so.
func (v *visit) holding(q request, word string) error {
	if _, err := operate[any](v, q); refusal(err) != "" {
		return v.showEndpointAs(http.StatusConflict, refusal(err))
	} else if err != nil {
		return err
	}
	return v.operated(endpointPath(v.r.PathValue("name")), word)
}

func pauseEndpoint(v *visit) error {
	q := post("endpoints", v.r.PathValue("name"), "pause")
	q.members = map[string]any{"reason": v.r.PostForm.Get("reason")}
	return v.holding(q, "paused")
}

func resumeEndpoint(v *visit) error {
	return v.holding(post("endpoints", v.r.PathValue("name"), "resume"), "resumed")
}

func retryEndpoint(v *visit) error {
	return v.holding(post("endpoints", v.r.PathValue("name"), "retry"), "retried")
}
