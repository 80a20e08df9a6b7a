// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"net/http"

	"golang.org/x/time/rate"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// learnRate is how many passing Shows a second are compared with what is known.
// It costs the API nothing and the proxy little, and more would teach little
// more: an object that somebody looks at is looked at again.
const learnRate = 100

// learner looks at Shows that clients ask for: one that differs from what is
// known tells of a change that did not pass here.
type learner struct {
	handler *Handler
	turns   *rate.Limiter
}

// sighting is a Show that passed.
type sighting struct {
	key  event.Key
	show show.Show
}

func newLearner(h *Handler) *learner {
	return &learner{handler: h, turns: rate.NewLimiter(learnRate, learnRate)}
}

// pass passes a safe request on. Where it is a Show, and there is time for it,
// the answer is looked at when it has gone through.
func (l *learner) pass(w http.ResponseWriter, request *rules.Request, next caddyhttp.Handler) error {
	r := request.HTTP
	var found rules.Match
	if r.Method != http.MethodGet || r.URL.RawQuery != "" || !l.handler.rules.Shows.Find(request, &found) || !l.turns.Allow() {
		return next.ServeHTTP(w, r)
	}
	t := &tee{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, limit: int(l.handler.Capture)}
	if err := next.ServeHTTP(t, r); err != nil {
		return err
	}
	if t.status != http.StatusOK || t.answer.truncated || len(t.answer.body) == 0 {
		return nil
	}
	// An id that cannot name an object teaches nothing.
	if key, err := event.NewKey(found.Rule.Resource.Name, found.Values[:found.Count]...); err == nil {
		l.handler.queue.sight(found.Rule.Resource, sighting{key: key, show: t.sighted()})
	}
	return nil
}

// sighted returns the response as a Show whose body is still encoded.
func (t *tee) sighted() show.Show {
	header := http.Header{"Content-Type": {t.answer.kind}}
	if t.answer.encoding != "" {
		header.Set("Content-Encoding", t.answer.encoding)
	}
	if t.answer.etag != "" {
		header.Set("Etag", t.answer.etag)
	}
	return show.Show{Status: t.status, Header: header, Body: t.answer.body}
}
