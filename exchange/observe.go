// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// observe passes a safe request on. If the request is a Show, and there is time
// for it, its answer is compared after it has passed: a Show that differs from
// what is known shows a change that did not pass here.
func (w *Watcher) observe(writer http.ResponseWriter, request *rules.Request, next caddyhttp.Handler) error {
	r := request.HTTP
	var found rules.Match
	if r.Method != http.MethodGet || r.URL.RawQuery != "" || !w.opts.Rules.FindShow(request, &found) || w.opts.Observe == nil || !w.turns.Allow() {
		return next.ServeHTTP(writer, r)
	}
	t := &tee{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: writer}, limit: int(w.opts.Capture)}
	if err := next.ServeHTTP(t, r); err != nil {
		return err
	}
	if t.status != http.StatusOK || t.answer.truncated || len(t.answer.body) == 0 {
		return nil
	}
	// An id that cannot name an object is not compared.
	if key, err := found.Rule.Resource.NewKey(found.Values()...); err == nil {
		w.opts.Observe(found.Rule.Resource, key, t.show())
	}
	return nil
}

// show returns the response as a Show whose body is still encoded.
func (t *tee) show() show.Show {
	header := http.Header{"Content-Type": {t.answer.kind}}
	if t.answer.encoding != "" {
		header.Set("Content-Encoding", t.answer.encoding)
	}
	if t.answer.etag != "" {
		header.Set("Etag", t.answer.etag)
	}
	return show.Show{Status: t.status, Header: header, Body: t.answer.body}
}
