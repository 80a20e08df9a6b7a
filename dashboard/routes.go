// SPDX-License-Identifier: Apache-2.0

package dashboard

import "net/http"

// route says what is where. What changes something is a POST.
func (s *Server) route() {
	for pattern, do := range map[string]action{
		"GET /{$}":                              showWebhooks,
		"GET /webhooks/new":                     showNew,
		"POST /webhooks/new":                    postNew,
		"GET /webhooks/{id}":                    showWebhook,
		"GET /webhooks/{id}/edit":               showEdit,
		"POST /webhooks/{id}/edit":              postEdit,
		"POST /webhooks/{id}/pause":             pauseWebhook,
		"POST /webhooks/{id}/resume":            resumeWebhook,
		"GET /webhooks/{id}/delete":             askDelete,
		"POST /webhooks/{id}/delete":            deleteWebhook,
		"GET /webhooks/{id}/test":               askTest,
		"POST /webhooks/{id}/test":              sendTest,
		"GET /webhooks/{id}/key":                askKey,
		"POST /webhooks/{id}/key":               rotateKey,
		"POST /webhooks/{id}/keys/{key}/revoke": revokeKey,
		"POST /webhooks/{id}/snapshot":          beginSnapshot,
		"POST /webhooks/{id}/snapshot/cancel":   cancelSnapshot,
		"GET /webhooks/{id}/recover":            askRecover,
		"POST /webhooks/{id}/recover":           recoverDeliveries,
		"GET /webhooks/{id}/filtered":           showFiltered,
		"GET /webhooks/{id}/deliveries":         showDeliveries,
		"GET /deliveries":                       showAllDeliveries,
		"GET /deliveries/{delivery}":            showDelivery,
		"POST /deliveries/{delivery}/resend":    resendDelivery,
		"GET /filter":                           checkFilter,
		"GET /events":                           showTypes,
		"GET /events/{type}":                    showType,
		"GET /events/{type}/{file}":             downloadType,
		"GET /feed":                             showFeed,
		"GET /keys":                             showAPIKeys,
		"GET /keys/new":                         askAPIKey,
		"POST /keys/new":                        makeAPIKey,
		"GET /keys/{key}/end":                   askEndAPIKey,
		"POST /keys/{key}/end":                  endAPIKey,
		"GET /audit":                            showAudit,
	} {
		s.pages.Handle(pattern, s.known(do))
	}
	s.routeOperators()
	s.pages.HandleFunc("GET /static/{name}", s.serveFile)
	s.pages.HandleFunc("POST /theme", s.keepTheme)
	if pages := s.options.Gate.Pages(); pages != nil {
		s.pages.Handle("/account/", pages)
		s.pages.HandleFunc("GET /account", func(w http.ResponseWriter, r *http.Request) { redirect(w, r, "/account/") })
	}
	s.pages.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, nil, s.missing(r)) })
}

// missing returns what is wrong with a request that no page takes: the method, if a page
// takes another at its path. That there are pages of operators is told to nobody else.
func (s *Server) missing(r *http.Request) error {
	other := r.Clone(r.Context())
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		other.Method = method
		if _, pattern := s.pages.Handler(other); pattern != "/" && pattern != "" && !forOperators(pattern) {
			return errWrongMethod
		}
	}
	return errLost
}
