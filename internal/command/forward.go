// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"
)

// forwardTimeout limits how long a program may take to answer what is sent on to it.
const forwardTimeout = 30 * time.Second

// forward sends deliveries on to a program, which answers them.
type forward struct {
	proxy *httputil.ReverseProxy
}

// forwarded is what became of one delivery.
type forwarded struct {
	status int
	// reason says what went wrong; broken is true if half an answer was given by then.
	reason string
	broken bool
}

// forwardedKey is where a request has its [forwarded].
type forwardedKey struct{}

func forwardedOf(r *http.Request) *forwarded { return r.Context().Value(forwardedKey{}).(*forwarded) }

// newForward returns what sends deliveries on to a URL. It follows no redirect, and no
// proxy is used: the program is near.
func newForward(target *url.URL) *forward {
	dialer := net.Dialer{Timeout: dialTimeout}
	return &forward{&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			to := *target
			r.Out.URL, r.Out.Host = &to, ""
			// No delivery becomes anything but HTTP.
			r.Out.Header.Del("Connection")
			r.Out.Header.Del("Upgrade")
		},
		Transport: &http.Transport{DialContext: dialer.DialContext, ResponseHeaderTimeout: forwardTimeout},
		ErrorLog:  silent(),
		ModifyResponse: func(response *http.Response) error {
			forwardedOf(response.Request).status = response.StatusCode
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			became := forwardedOf(r)
			became.status, became.reason = http.StatusBadGateway, "forwarding: "+err.Error()
			http.Error(w, "what the delivery is sent on to did not answer", became.status)
		},
	}}
}

// answer answers a delivery as the program does, and returns what became of it.
func (f *forward) answer(w http.ResponseWriter, r *http.Request, body []byte) (became *forwarded) {
	became = new(forwarded)
	ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), forwardedKey{}, became), forwardTimeout)
	defer cancel()
	defer func() {
		// The proxy panics where an answer breaks off half way.
		if panicked := recover(); panicked == http.ErrAbortHandler { //nolint:errorlint // it is what is documented
			became.broken, became.reason = true, "forwarding: the answer broke off"
		} else if panicked != nil {
			panic(panicked)
		}
	}()
	f.proxy.ServeHTTP(w, restored(r.WithContext(ctx), body))
	return became
}
