// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"crypto/rand"
	"net/http"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
)

// apiKeysPage is the list of a tenant's API keys, by which programs do what the pages do.
type apiKeysPage struct {
	Rows []callbacks.KeyView
	Next string
	// Later is true on pages behind the first, and Taken if an API takes keys.
	Later, Taken bool
	Notice       string
}

// showAPIKeys lists the keys.
func showAPIKeys(v *visit) error {
	cursor := v.r.URL.Query().Get("cursor")
	done, err := ask[callbacks.List[callbacks.KeyView]](&v.api, get("keys").with("limit", maxListed, "cursor", cursor))
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, View{Name: "apikeys", Title: "API keys", Section: "keys", Data: apiKeysPage{
		Rows: done.Body.Data, Next: done.Body.Next, Later: cursor != "", Taken: v.options.API.Terms().Keys, Notice: v.notice(),
	}})
}

// newAPIKeyPage asks what a new key is called, and when it ends.
type newAPIKeyPage struct {
	Name string
	Ends []option
	// Once is an Idempotency-Key: a form that is sent twice makes one key.
	Once   string
	Errors fieldErrors
}

// keyEnds are for how long a new key may be used. "" is for ever.
var keyEnds = []option{
	{"2160h", "In 90 days", "", false},
	{"8760h", "In a year", "Make another in time: the programs that use it are refused from then on", true},
	{"", "Never", "End it yourself when nothing uses it any more", false},
}

// askAPIKey asks what is needed to make a key.
func askAPIKey(v *visit) error {
	if err := v.secret("/keys/new"); err != nil {
		return err
	}
	return v.askAPIKey(http.StatusOK, newAPIKeyPage{Ends: keyEnds, Once: rand.Text()})
}

func (v *visit) askAPIKey(status int, p newAPIKeyPage) error {
	title := "Make an API key"
	if len(p.Errors) > 0 {
		title = "Not made: " + title
	}
	return v.show(status, View{Name: "newapikey", Title: title, Section: "keys", Data: p})
}

// makeAPIKey makes a key, and shows it this once.
func makeAPIKey(v *visit) error {
	if err := v.secret("/keys/new"); err != nil {
		return err
	}
	sent := v.r.PostForm
	p := newAPIKeyPage{Name: sent.Get("name"), Once: sent.Get("once")}
	q := post("keys")
	q.members, q.key = map[string]any{"name": p.Name}, p.Once
	for _, end := range keyEnds {
		if end.Chosen = end.Value == sent.Get("ends"); end.Chosen && end.Value != "" {
			after, err := time.ParseDuration(end.Value)
			if err != nil {
				return err
			}
			// On the day, so that the same form sent again is the same request.
			q.members["expires"] = v.now.Add(after).UTC().Truncate(24 * time.Hour).Format(time.RFC3339)
		}
		p.Ends = append(p.Ends, end)
	}
	done, err := ask[callbacks.KeyView](&v.api, q)
	if problem := asProblem(err); problem != nil && problem.Status == http.StatusUnprocessableEntity {
		p.Errors = parameterErrors(problem)
		if p.Errors["name"] == "" { // it is about no field
			p.Errors = fieldErrors{"": errorsOf(problem, new(form)).first()}
		}
		return v.askAPIKey(problem.Status, p)
	}
	if err != nil {
		return err
	}
	return v.show(http.StatusCreated, View{Name: "apikey", Title: "An API key was made", Section: "keys", Data: done.Body})
}

// askEndAPIKey asks whether a key is to be ended.
func askEndAPIKey(v *visit) error {
	done, err := ask[callbacks.KeyView](&v.api, get("keys", v.r.PathValue("key")))
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, View{Name: "endapikey", Title: "End an API key?", Section: "keys", Data: done.Body})
}

// endAPIKey ends a key at once.
func endAPIKey(v *visit) error {
	id := v.r.PathValue("key")
	if err := v.secret("/keys/" + pathSegment(id) + "/end"); err != nil {
		return err
	}
	if _, err := ask[struct{}](&v.api, request{method: http.MethodDelete, path: []string{"keys", id}}); err != nil {
		return err
	}
	return v.leave("/keys?done=key-ended")
}
