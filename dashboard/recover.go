// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/http"
	"net/url"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
)

// recoverPage has sent again what is dead, or what happened whether or not it was sent.
type recoverPage struct {
	ID, Name string
	// Verb is recover, or replay.
	Verb, Since string
	// Counted is how many it means, nil before that was asked.
	Counted *callbacks.CountedView
	// Acted is true once it was done, with so many Changed; More is true if there is more.
	Acted, More bool
	Changed     int
	Errors      fieldErrors
}

// maxActed is how many pages of deliveries one click acts on.
const maxActed = 20

// actedAtOnce is how many deliveries are on each of them.
const actedAtOnce = "1000"

func (v *visit) recovering(values url.Values) (recoverPage, error) {
	done, err := v.api.endpoint(v.r.PathValue("id"))
	p := recoverPage{ID: done.Body.ID, Name: nameOf(&done.Body), Verb: "recover", Since: values.Get("since")}
	if values.Get("verb") == "replay" {
		p.Verb = "replay"
	}
	return p, err
}

// askRecover asks since when, and counts what that means.
func askRecover(v *visit) error {
	p, err := v.recovering(v.r.URL.Query())
	if err != nil {
		return err
	}
	status := http.StatusOK
	if p.Since != "" {
		done, err := ask[callbacks.CountedView](&v.api, get("endpoints", p.ID, p.Verb).with("since", p.Since))
		switch problem := asProblem(err); {
		case err == nil:
			p.Counted = &done.Body
		case problem != nil && problem.Status == http.StatusBadRequest:
			status, p.Errors = problem.Status, parameterErrors(problem)
		default:
			return err
		}
	}
	return v.show(status, View{Name: "recover", Title: "Recover " + p.Name, Section: "deliveries", Data: p})
}

// recoverDeliveries has them sent again, page by page.
func recoverDeliveries(v *visit) error {
	p, err := v.recovering(v.r.PostForm)
	if err != nil {
		return err
	}
	cursor := ""
	for range maxActed {
		done, err := ask[callbacks.ActedView](&v.api, post("endpoints", p.ID, p.Verb).with("since", p.Since, "limit", actedAtOnce, "cursor", cursor))
		if err != nil && !p.Acted {
			return err
		}
		if err != nil {
			p.More = true // what was done stays done, and is told
			break
		}
		p.Acted, p.Changed = true, p.Changed+done.Body.Changed
		if cursor = done.Body.Next; cursor == "" {
			p.More = false
			break
		}
		p.More = true
	}
	return v.show(http.StatusOK, View{Name: "recover", Title: "Recover " + p.Name, Section: "deliveries", Data: p})
}

// filteredPage lists what a filter has left out.
type filteredPage struct {
	ID, Name, Filter string
	List             callbacks.FilteredList
	Next             string
}

// showFiltered lists what the filter of a webhook has left out.
func showFiltered(v *visit) error {
	e, err := v.api.endpoint(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	done, err := ask[callbacks.FilteredList](&v.api, get("endpoints", e.Body.ID, "filtered").with("cursor", v.r.URL.Query().Get("cursor")))
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, View{Name: "filtered", Title: "Left out by the filter of " + nameOf(&e.Body), Section: "deliveries", Data: filteredPage{
		ID: e.Body.ID, Name: nameOf(&e.Body), Filter: e.Body.Filter, List: done.Body, Next: done.Body.Next,
	}})
}
