// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/http"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
)

// keyPage shows a key, which is shown this once.
type keyPage struct {
	Name, ID string
	// Made is true if the webhook was made with it.
	Made   bool
	Secret string
	// Until is when the key before it signs nothing more; zero if there is none.
	Until        time.Time
	Cursor       string
	Verification *exchangeView
}

func (v *visit) showKey(status int, p keyPage) error {
	title := p.Name + " was added"
	if !p.Made {
		title = "Another key of " + p.Name
	}
	return v.show(status, View{Name: "key", Title: title, Section: "webhooks", Data: p})
}

// newKeyPage asks for how long the old key goes on signing.
type newKeyPage struct {
	ID, Name, ETag string
	Overlaps       []option
	// Wrong says why the key was not replaced.
	Wrong string
}

// overlaps are for how long the old key may sign beside the new one.
var overlaps = []option{
	{"24h", "It signs beside the new one for a day", "Receivers that know either of them go on", true},
	{"168h", "It signs beside the new one for a week", "", false},
	{"720h", "It signs beside the new one for 30 days", "", false},
	{"0s", "It ends at once", "If somebody else may have it. Receivers that do not know the new one refuse deliveries until they do", false},
}

// askKey asks how the key of a webhook is to be replaced.
func askKey(v *visit) error { return v.askKey(http.StatusOK, "") }

func (v *visit) askKey(status int, wrong string) error {
	id := v.r.PathValue("id")
	if err := v.secret(at(id, "key")); err != nil {
		return err
	}
	done, err := v.api.endpoint(id)
	if err != nil {
		return err
	}
	return v.show(status, View{Name: "newkey", Title: "Make another key", Section: "webhooks", Data: newKeyPage{
		ID: done.Body.ID, Name: nameOf(&done.Body), ETag: done.ETag, Overlaps: overlaps, Wrong: wrong,
	}})
}

// rotateKey replaces the key of a webhook, and shows the new one.
func rotateKey(v *visit) error {
	id := v.r.PathValue("id")
	if err := v.secret(at(id, "key")); err != nil {
		return err
	}
	is, err := v.api.endpoint(id)
	if err != nil {
		return err
	}
	q := post("endpoints", id, "secrets")
	q.members, q.etag = map[string]any{"overlap": v.r.PostForm.Get("overlap")}, v.r.PostForm.Get("etag")
	done, err := ask[callbacks.RotatedView](&v.api, q)
	if p := asProblem(err); p != nil && p.Status == http.StatusUnprocessableEntity {
		return v.askKey(p.Status, errorsOf(p, new(form)).first())
	}
	if err != nil {
		return err
	}
	return v.showKey(http.StatusCreated, keyPage{Name: nameOf(&is.Body), ID: is.Body.ID, Secret: done.Body.Secret, Until: done.Body.Until})
}

// revokeKey ends a key that was replaced.
func revokeKey(v *visit) error {
	id := v.r.PathValue("id")
	if err := v.secret(at(id, "")); err != nil {
		return err
	}
	q := request{method: http.MethodDelete, path: []string{"endpoints", id, "secrets", v.r.PathValue("key")}}
	if _, err := ask[struct{}](&v.api, q); err != nil {
		return err
	}
	return v.leave(at(id, "") + "?done=revoked")
}
