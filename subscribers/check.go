// SPDX-License-Identifier: Apache-2.0

package subscribers

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
	"github.com/caddy-webhooks/caddy-webhooks/event/when"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Limits of what an endpoint may have, in bytes where they do not count.
const (
	maxLabel    = 256
	maxURL      = 2048
	maxEvents   = 64
	maxText     = 128
	maxFormat   = 4 << 10
	maxFilter   = when.MaxFilter
	maxPairs    = 32
	maxPair     = 1 << 10
	maxSecret   = 512
	maxPassword = 4 << 10
)

// FieldError says what is wrong with an endpoint, and what to do about it.
type FieldError struct {
	// Pointer is the JSON Pointer of the field, "" for the whole.
	Pointer string
	// Detail and Remedy are sentences. They never hold a secret.
	Detail, Remedy string
}

// Error implements error.
func (e *FieldError) Error() string {
	return strings.TrimSpace(e.Pointer + " " + e.Detail + "; " + e.Remedy)
}

func wrong(pointer, remedy, format string, args ...any) error {
	return &FieldError{Pointer: pointer, Detail: fmt.Sprintf(format, args...), Remedy: remedy}
}

// Check reports the first thing that is wrong with an endpoint, as a [FieldError].
// Whether its URL may be called is for others to say.
func (e *Endpoint) Check() error {
	if len(e.Tenant) > queue.MaxRecordOwner {
		return wrong("", "use a shorter name of the tenant", "the tenant has %d bytes, and %d are possible", len(e.Tenant), queue.MaxRecordOwner)
	}
	for _, text := range []struct {
		pointer, text string
		most          int
	}{
		{"/label", e.Label, maxLabel},
		{"/url", e.URL, maxURL},
		{"/payload", e.Payload, maxFormat},
		{"/signature", e.Signature, maxText},
		{"/rate", e.Rate, maxText},
		{"/filter", e.Filter, maxFilter},
	} {
		if err := checkText(text.pointer, text.text, text.most); err != nil {
			return err
		}
	}
	if e.Status != Active && e.Status != Paused {
		return wrong("/status", "say active or paused", "it is neither of its values")
	}
	for _, check := range []func() error{e.checkURL, e.checkEvents, e.checkFilter, e.checkDelivery, e.checkSecrets, e.checkAuth, e.checkHeaders} {
		if err := check(); err != nil {
			return err
		}
	}
	return checkPairs("/metadata", e.Metadata)
}

func checkText(pointer, text string, most int) error {
	switch {
	case len(text) > most:
		return wrong(pointer, fmt.Sprintf("use at most %d", most), "it has %d bytes", len(text))
	case !utf8.ValidString(text):
		return wrong(pointer, "send UTF-8", "it is not UTF-8")
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return wrong(pointer, "leave it out", "it has a control character")
	}
	return nil
}

// checkURL checks the form of a URL. An endpoint without one only reads its feed.
func (e *Endpoint) checkURL() error {
	if e.URL == "" {
		return nil
	}
	// The parser's own error is left out: it repeats the URL, which may hold a token.
	u, err := url.Parse(e.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return wrong("/url", "write it whole, as https://example.com/hooks", "it is no absolute http or https URL")
	case u.User != nil:
		return wrong("/url", "put them into auth", "it holds credentials")
	case u.Fragment != "" || strings.Contains(e.URL, "#"):
		return wrong("/url", "leave out what follows the #", "it has a fragment, which is sent to no receiver")
	}
	return nil
}

func (e *Endpoint) checkEvents() error {
	if len(e.Events) > maxEvents {
		return wrong("/events", "use wildcards, as items.*", "it has %d patterns, and %d are possible", len(e.Events), maxEvents)
	}
	for i, pattern := range e.Events {
		pointer := fmt.Sprintf("/events/%d", i)
		if err := checkText(pointer, pattern, maxText); err != nil {
			return err
		}
		if _, err := event.ParseFilter(pattern); err != nil {
			return wrong(pointer, "write a type, as items.created, or its beginning, as items.*", "%v", err)
		}
	}
	return nil
}

func (e *Endpoint) checkFilter() error {
	if e.Filter == "" {
		return nil
	}
	if _, err := when.CompileFilter(e.Filter); err != nil {
		return wrong("/filter", "write a condition, as object.amount > 100", "%v", err)
	}
	return nil
}

func (e *Endpoint) checkDelivery() error {
	if e.Payload != "" {
		if _, err := payload.Parse(e.Payload); err != nil {
			return wrong("/payload", "see which formats there are", "%v", err)
		}
	}
	if e.Rate != "" {
		if _, err := endpoint.ParseRate(e.Rate); err != nil {
			return wrong("/rate", "write it as 10/s or 100/m", "%v", err)
		}
	}
	switch e.Order {
	case "", endpoint.OrderObject, endpoint.OrderEndpoint, endpoint.OrderNone:
		return nil
	}
	return wrong("/order", "say object, endpoint or none", "it is none of its values")
}

func (e *Endpoint) checkSecrets() error {
	if len(e.Secrets) > endpoint.MaxSecrets {
		return wrong("/secret", "revoke one that is not used any more", "it has %d secrets, and %d are possible", len(e.Secrets), endpoint.MaxSecrets)
	}
	for i := range e.Secrets {
		if n := len(e.Secrets[i].Text); n == 0 || n > maxSecret {
			return wrong("/secret", fmt.Sprintf("use 1 to %d", maxSecret), "it has %d bytes", n)
		}
	}
	return nil
}

func (e *Endpoint) checkAuth() error {
	a := e.Auth
	if a == nil {
		return nil
	}
	if err := checkText("/auth/name", a.Name, maxText); err != nil {
		return err
	}
	if err := checkText("/auth/credential", a.Credential, maxPassword); err != nil {
		return err
	}
	switch {
	case a.Scheme != "basic" && a.Scheme != "bearer" && a.Scheme != "header":
		return wrong("/auth/scheme", "say basic, bearer or header", "it is none of its values")
	case a.Credential == "":
		return wrong("/auth/credential", "send it, or leave out auth", "it is empty")
	case a.Scheme == "basic" && (a.Name == "" || strings.Contains(a.Name, ":")):
		return wrong("/auth/name", "use a name without a colon", "it is no user's name")
	case a.Scheme == "header":
		return checkHeader("/auth/name", a.Name, true)
	}
	return nil
}

func (e *Endpoint) checkHeaders() error {
	if err := checkPairs("/headers", e.Headers); err != nil {
		return err
	}
	for name := range e.Headers {
		if err := checkHeader("/headers/"+escape(name), name, false); err != nil {
			return err
		}
	}
	return nil
}

// ours are headers that a delivery has already, or that belong to the connection.
var ours = map[string]bool{
	"connection": true, "content-encoding": true, "content-length": true, "content-type": true, "expect": true, "host": true,
	"keep-alive": true, "proxy-authorization": true, "te": true, "traceparent": true, "trailer": true, "transfer-encoding": true,
	"upgrade": true, "user-agent": true, "signature": true, "signature-input": true, "x-signature": true,
}

func checkHeader(pointer, name string, isAuth bool) error {
	lower := strings.ToLower(name)
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		return wrong(pointer, "use letters, digits and -", "it is no name of a header")
	case ours[lower] || strings.HasPrefix(lower, "webhook-"):
		return wrong(pointer, "use another name", "the header is set by deliveries themselves")
	case lower == "authorization" && !isAuth:
		return wrong(pointer, "put it into auth", "it holds a credential")
	}
	return nil
}

func checkPairs(pointer string, pairs map[string]string) error {
	if len(pairs) > maxPairs {
		return wrong(pointer, fmt.Sprintf("use at most %d", maxPairs), "it has %d members", len(pairs))
	}
	for name, value := range pairs {
		if name == "" {
			return wrong(pointer, "give each a name", "a member has no name")
		}
		if err := checkText(pointer, name, maxText); err != nil {
			return err
		}
		if err := checkText(pointer+"/"+escape(name), value, maxPair); err != nil {
			return err
		}
	}
	return nil
}

// escape writes a member's name for a JSON Pointer.
func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}
