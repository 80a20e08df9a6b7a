// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/http"
	"net/url"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
)

// resendPage has sent again to an endpoint what is dead, or all that happened.
type resendPage struct {
	operatedEndpoint

	// Verb is recover, or replay; Since and Until are the time that is meant.
	Verb, Since, Until string
	// Counted is how many it means, nil before that was asked.
	Counted *admin.CountView
	// Acted is true once it was done, with so many Changed and Refused; More if there is more.
	Acted, More      bool
	Changed, Refused int
	Wrong            string
}

func (v *visit) resending(values url.Values) (resendPage, error) {
	of, err := v.endpointOf(v.r.PathValue("name"))
	p := resendPage{operatedEndpoint: of, Verb: "recover", Since: values.Get("since"), Until: values.Get("until")}
	if values.Get("verb") == "replay" {
		p.Verb = "replay"
	}
	return p, err
}

// meaning returns a request about what the page means.
func (p *resendPage) meaning(q request, more ...string) request {
	q.path = []string{p.Verb}
	return q.with(append([]string{"endpoint", p.Name, "since", p.Since, "until", p.Until}, more...)...)
}

func (v *visit) showResend(status int, p *resendPage) error {
	return v.operating(status, "op-resend", "Send again to "+p.Shown, p)
}

// askResend asks since when, and counts what that means.
func askResend(v *visit) error {
	p, err := v.resending(v.r.URL.Query())
	if err != nil {
		return err
	}
	status := http.StatusOK
	if p.Since != "" {
		counted, err := operate[admin.CountView](v, p.meaning(get()))
		switch {
		case err == nil:
			p.Counted = &counted
		case refusal(err) != "":
			status, p.Wrong = http.StatusBadRequest, refusal(err)
		default:
			return err
		}
	}
	return v.showResend(status, &p)
}

// resendToEndpoint has them sent again, page by page.
func resendToEndpoint(v *visit) error {
	p, err := v.resending(v.r.PostForm)
	if err != nil {
		return err
	}
	if p.Since == "" { // a replay without it would be of all that is kept
		p.Wrong = "Say since when."
		return v.showResend(http.StatusBadRequest, &p)
	}
	cursor := ""
	for range maxActed {
		acted, err := operate[admin.ActView](v, p.meaning(post(), "limit", actedAtOnce, "cursor", cursor))
		if reason := refusal(err); reason != "" && !p.Acted {
			p.Wrong = reason
			return v.showResend(http.StatusBadRequest, &p)
		}
		if err != nil && !p.Acted {
			return err
		}
		if err != nil {
			p.More = true // what was done stays done, and is told
			break
		}
		p.Acted, p.Changed, p.Refused = true, p.Changed+acted.Changed, p.Refused+acted.Refused
		cursor = string(acted.Next)
		if p.More = cursor != ""; !p.More {
			break
		}
	}
	return v.showResend(http.StatusOK, &p)
}
