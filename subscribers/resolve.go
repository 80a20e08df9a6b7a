// SPDX-License-Identifier: Apache-2.0

package subscribers

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/auth"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
)

// The signatures that a subscriber may ask for. [SignatureX] may be followed by a
// space and the name of a style, see [sign.Presets].
const (
	SignatureStandard = "standard"
	SignatureRFC9421  = "rfc9421"
	SignatureNone     = "none"
	SignatureX        = "x-signature"
)

// ErrNoURL is returned for an endpoint that only reads its feed.
var ErrNoURL = errors.New("it has no URL")

// Resolve returns the endpoint as events are routed and delivered to it. The template
// holds what is not the subscriber's to say, such as the timeout and the schedule, and
// what counts where the subscriber has said nothing. Its errors show no secret.
func (e *Endpoint) Resolve(template endpoint.Endpoint) (endpoint.Endpoint, error) {
	made := template
	if e.URL == "" {
		return made, ErrNoURL
	}
	made.Name, made.URL, made.Tenant = e.ID, e.URL, e.Tenant
	var err error
	if made.Events, err = event.ParseFilter(e.Events...); err != nil {
		return made, err
	}
	if e.Payload != "" {
		if made.Payload, err = payload.Parse(e.Payload); err != nil {
			return made, err
		}
	}
	if e.Rate != "" {
		if made.Rate, err = endpoint.ParseRate(e.Rate); err != nil {
			return made, err
		}
	}
	if e.Order != "" {
		made.Order = e.Order
	}
	if err := e.resolveSignature(&made); err != nil {
		return made, err
	}
	if made.Auth, err = e.authenticator(template.Auth); err != nil {
		return made, err
	}
	return made, made.Validate()
}

// resolveSignature fills in how deliveries are signed, and with what.
func (e *Endpoint) resolveSignature(made *endpoint.Endpoint) error {
	scheme, style, _ := strings.Cut(e.Signature, " ")
	if scheme == SignatureX {
		keys, err := e.secrets(sign.ParseKey)
		if err != nil {
			return err
		}
		return xSignature(made, style, keys)
	}
	var err error
	if made.Secrets, err = e.secrets(sign.ParseSecret); err != nil {
		return err
	}
	switch e.Signature {
	case "":
	case SignatureStandard:
		made.Signatures = []sign.Scheme{sign.Standard{}}
	case SignatureRFC9421:
		signatures, err := sign.NewMessageSignatures()
		if err != nil {
			return err
		}
		made.Signatures = []sign.Scheme{signatures}
	case SignatureNone:
		made.Signatures, made.Secrets = []sign.Scheme{}, nil
	default:
		return fmt.Errorf("there is no signature %q; there are standard, rfc9421, x-signature and none", e.Signature)
	}
	return nil
}

func xSignature(made *endpoint.Endpoint, name string, keys []sign.Secret) error {
	style := sign.Style{}
	if name != "" {
		var err error
		if style, err = sign.Preset(name); err != nil {
			return err
		}
	}
	signature, err := sign.NewXSignature(style, keys...)
	if err != nil {
		return err
	}
	made.Signatures, made.Secrets = []sign.Scheme{signature}, nil
	return nil
}

// secrets returns the secrets, those that were replaced with their end.
func (e *Endpoint) secrets(parse func(string) (sign.Secret, error)) ([]sign.Secret, error) {
	var secrets []sign.Secret
	for _, kept := range e.Secrets {
		secret, err := parse(kept.Text)
		if err != nil {
			return nil, err
		}
		if !kept.Until.IsZero() {
			secret = secret.Until(kept.Until)
		}
		secrets = append(secrets, secret)
	}
	return secrets, nil
}

// authenticator returns what sets the subscriber's own headers, its credentials among
// them. Without credentials of its own, a template's are used.
func (e *Endpoint) authenticator(template auth.Authenticator) (auth.Authenticator, error) {
	var fields []auth.Field
	if a := e.Auth; a != nil {
		switch a.Scheme {
		case "basic":
			fields = append(fields, auth.Field{Name: "Authorization", Value: "Basic " + base64.StdEncoding.EncodeToString([]byte(a.Name+":"+a.Credential))})
		case "bearer":
			fields = append(fields, auth.Field{Name: "Authorization", Value: "Bearer " + a.Credential})
		case "header":
			fields = append(fields, auth.Field{Name: a.Name, Value: a.Credential})
		default:
			return nil, fmt.Errorf("there is no way %q to authenticate", a.Scheme)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		fields = append(fields, auth.Field{Name: name, Value: e.Headers[name]})
	}
	switch {
	case len(fields) == 0:
		return template, nil
	case template != nil && e.Auth == nil:
		return nil, errors.New("headers of its own beside the operator's credentials are not possible; leave out headers")
	}
	return auth.Headers(fields...)
}
