// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
	"github.com/caddy-webhooks/caddy-webhooks/metrics/series"
)

// pathOperator is below what path the pages of operators are.
const pathOperator = "/operator/"

// Recent is what this process has done in the last day.
type Recent interface {
	// Since returns since when that is known, zero if it is not.
	Since() time.Time
	// Points returns what was done in a time until now, in n parts.
	Points(ctx context.Context, now time.Time, period time.Duration, n int) []series.Point
}

// operatorPages are the pages of operators, by their paths below [pathOperator]. What changes
// something is a POST.
var operatorPages = map[string]action{
	"GET {$}":                      showOverview,
	"GET endpoints":                showEndpoints,
	"GET endpoints/{name}":         showEndpoint,
	"POST endpoints/{name}/pause":  pauseEndpoint,
	"POST endpoints/{name}/resume": resumeEndpoint,
	"POST endpoints/{name}/retry":  retryEndpoint,
	"GET endpoints/{name}/resend":  askResend,
	"POST endpoints/{name}/resend": resendToEndpoint,
	"GET tenants":                  showTenants,
	"GET coverage":                 showCoverage,
	"GET unresolved":               showUnresolved,
	"POST unresolved/{id}/dismiss": dismissUnresolved,
	"POST resources/{name}/list":   listResource,
	"GET marks":                    showMarks,
	"POST marks/look":              lookAtObject,
	"GET queue":                    showQueue,
	"GET configuration":            showConfiguration,
	"GET audit":                    showAuditOfAll,
}

// routeOperators says where the pages of operators are.
func (s *Server) routeOperators() {
	if s.options.Admin == nil {
		return
	}
	for pattern, do := range operatorPages {
		method, path, _ := strings.Cut(pattern, " ")
		s.pages.Handle(method+" "+pathOperator+path, s.visited(do, letOperator))
	}
	s.pages.Handle("GET "+strings.TrimSuffix(pathOperator, "/"), s.visited(func(v *visit) error { return v.leave(pathOperator) }, letOperator))
}

// letOperator lets operators in alone. A tenant gets what there is at a path of no page.
func letOperator(_ *http.Request, person Person) error {
	if !person.Operator {
		return errLost
	}
	return nil
}

// forOperators reports whether a pattern is that of a page of operators.
func forOperators(pattern string) bool {
	_, path, _ := strings.Cut(pattern, " ")
	return strings.HasPrefix(path+"/", pathOperator)
}

// operate has the operators' API do something, as the person who looks.
func operate[T any](v *visit, q request) (T, error) {
	r, err := q.of(v.r.Context(), "/webhooks")
	if err != nil {
		var none T
		return none, err
	}
	r.RemoteAddr = v.options.Client(v.r)
	return admin.Do[T](v.options.Admin(), v.person.Name, r)
}

// refusal returns why the operators' API refused what a form asked for, "" if it did not for
// such a reason.
func refusal(err error) string {
	var refused *admin.Refused
	if errors.As(err, &refused) && (refused.Status == http.StatusBadRequest || refused.Status == http.StatusConflict) {
		return sentence(refused.Detail)
	}
	return ""
}

// failureOfRefused returns the page's words for what the operators' API refuses.
func failureOfRefused(r *admin.Refused) *failure {
	known := errUnavailable
	switch {
	case r.Status == http.StatusNotFound:
		known = errLost
	case r.Status < http.StatusInternalServerError:
		known = errRefused
	}
	return &failure{r.Status, known.Title, sentence(visible(r.Detail)), known.Remedy}
}

// operating shows a page of operators. Its section is the first part of its path.
func (v *visit) operating(status int, name, title string, data any) error {
	section, _, _ := strings.Cut(strings.TrimPrefix(v.r.URL.Path, pathOperator), "/")
	if section == "" {
		section = "overview"
	}
	return v.show(status, View{Name: name, Title: title, Section: section, Data: data})
}

// operated returns to a page of operators, which says what was done.
func (v *visit) operated(path, word string) error {
	return v.leave(pathOperator + path + "?" + url.Values{"done": {word}}.Encode())
}

// done says what has just been done, "" for nothing. The word stands in the URL, so that a
// reload says it again and does nothing.
func (v *visit) done() string { return operatorNotices[v.r.URL.Query().Get("done")] }

// linkTo returns a link to the same page with parameters that are not empty.
func linkTo(pairs ...string) string {
	q := request{}.with(pairs...).query
	return "?" + q.Encode()
}

// shownRows is how many rows a page of a list has.
const shownRows = "50"

// isRefused reports whether the operators' API refused something with a status.
func isRefused(err error, status int) bool {
	var refused *admin.Refused
	return errors.As(err, &refused) && refused.Status == status
}
