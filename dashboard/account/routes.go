// SPDX-License-Identifier: Apache-2.0

package account

import "net/http"

// routes returns the handler of all pages.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, handler := range map[string]http.HandlerFunc{
		"GET /account/login":                s.at(showLogin),
		"POST /account/login":               s.at(postLogin),
		"POST /account/passkey/login":       s.at(optionsToLogIn),
		"GET /account/welcome":              s.at(showWelcome),
		"POST /account/welcome":             s.at(postWelcome),
		"GET /account/second":               s.at(showSecond, placeSecond),
		"POST /account/second":              s.at(postSecond, placeSecond),
		"POST /account/passkey/show":        s.at(optionsToShow, placeSecond, placeOpen),
		"GET /account/enrol":                s.enrolling(showEnrol),
		"POST /account/enrol":               s.enrolling(postEnrol),
		"GET /account/qr.svg":               s.enrolling(showQR),
		"POST /account/passkey/add":         s.enrolling(optionsToAdd),
		"POST /account/passkeys":            s.enrolling(addPasskey),
		"GET /account/codes":                s.at(showCodes, placeCodes),
		"POST /account/codes":               s.at(postCodes, placeCodes),
		"GET /account/step-up":              s.at(showStepUp, placeOpen),
		"POST /account/step-up":             s.at(postStepUp, placeOpen),
		"GET /account/{$}":                  s.at(showAccount, placeOpen),
		"POST /account/password":            s.fresh(changePassword),
		"POST /account/app/delete":          s.fresh(sure(askDeleteApp, deleteApp)),
		"POST /account/passkeys/delete":     s.fresh(sure(askDeletePasskey, deletePasskey)),
		"POST /account/codes/new":           s.fresh(sure(askNewCodes, newCodes)),
		"POST /account/sessions/end":        s.at(endSession, placeOpen),
		"POST /account/sessions/end-others": s.at(sure(askEndOthers, endOthers), placeOpen),
		"POST /account/logout":              s.at(logout),
	} {
		mux.HandleFunc(pattern, handler)
	}
	origins := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The dashboard checks that, too. Here it is not left to whoever serves these pages.
		if err := origins.Check(r); err != nil {
			s.fail(w, r, &foreign)
			return
		}
		answer, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		answered := headers{}
		answer.ServeHTTP(answered, r)
		if allow := http.Header(answered).Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
			s.fail(w, r, &wrongMethod)
			return
		}
		s.fail(w, r, &lost)
	})
}

// enrolling returns a handler for who sets up a second factor: the first one, or another
// one after having shown one.
func (s *Server) enrolling(do action) http.HandlerFunc {
	first, another := s.at(do, placeEnrol), s.fresh(do)
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := s.visit(w, r)
		if err == nil && v.place() == placeEnrol {
			first(w, r)
			return
		}
		another(w, r)
	}
}

// headers is a [http.ResponseWriter] that keeps nothing but the headers.
type headers http.Header

func (h headers) Header() http.Header          { return http.Header(h) }
func (headers) Write(body []byte) (int, error) { return len(body), nil }
func (headers) WriteHeader(int)                {}
