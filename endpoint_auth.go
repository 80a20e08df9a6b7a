// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"maps"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/auth"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/internal/argument"
)

// Auth proves to a receiver who is calling. One of its fields is set. Write secrets as placeholders such as `{env.NAME}` or
// `{file./path}`.
type Auth struct {
	// Basic is a user's name and password.
	Basic *BasicAuth `json:"basic,omitempty"`

	// Bearer is a token that never changes.
	Bearer string `json:"bearer,omitempty"`

	// Headers are set as they are.
	Headers map[string]string `json:"headers,omitempty"`

	// OAuth2 asks for tokens with client credentials.
	OAuth2 *OAuth2 `json:"oauth2,omitempty"`
}

// BasicAuth is a name and a password for HTTP Basic authentication.
type BasicAuth struct {
	// User is the name. Required.
	User string `json:"user"`

	// Password may be empty.
	Password string `json:"password,omitempty"`
}

// OAuth2 says how access tokens are asked for, with the client credentials of
// OAuth 2.0. The egress policy holds for the token URL, too.
type OAuth2 struct {
	// TokenURL is where tokens are asked for. Required.
	TokenURL string `json:"token_url"`

	// ClientID and ClientSecret are the credentials. Required.
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`

	// Scopes are asked for. Default: those that the server gives by itself.
	Scopes []string `json:"scopes,omitempty"`

	// Params are further parameters of the request, such as `audience`.
	Params map[string]string `json:"params,omitempty"`

	// CredentialsInBody sends the credentials in the body, for servers that do
	// not take them as HTTP Basic.
	CredentialsInBody bool `json:"credentials_in_body,omitempty"`
}

// authenticator returns what adds the credentials; nil for none.
func (a *Auth) authenticator(repl *filler, transport *egress.Transport) (auth.Authenticator, error) {
	if a == nil {
		return nil, nil
	}
	if len(a.kinds()) != 1 {
		return nil, fmt.Errorf("auth: it takes one of basic, bearer, headers and oauth2, not %d of them", len(a.kinds()))
	}
	var (
		made auth.Authenticator
		err  error
	)
	switch {
	case a.Basic != nil:
		made, err = a.Basic.authenticator(repl)
	case a.Bearer != "":
		var token string
		if token, err = fill(repl, "token", a.Bearer); err == nil {
			made, err = auth.Bearer(token)
		}
	case a.OAuth2 != nil:
		made, err = a.OAuth2.authenticator(repl, transport)
	default:
		var fields []auth.Field
		for _, name := range slices.Sorted(maps.Keys(a.Headers)) {
			value, err := fill(repl, name, a.Headers[name])
			if err != nil {
				return nil, fmt.Errorf("auth: %w", err)
			}
			fields = append(fields, auth.Field{Name: name, Value: value})
		}
		made, err = auth.Headers(fields...)
	}
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	return made, nil
}

// kinds returns the words of the fields that are set.
func (a *Auth) kinds() []string {
	var kinds []string
	for kind, set := range map[string]bool{
		"basic": a.Basic != nil, "bearer": a.Bearer != "", "headers": len(a.Headers) > 0, "oauth2": a.OAuth2 != nil,
	} {
		if set {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

func (b *BasicAuth) authenticator(repl *filler) (auth.Authenticator, error) {
	user, err := fill(repl, "user", b.User)
	if err != nil {
		return nil, err
	}
	password, err := fill(repl, "password", b.Password)
	if err != nil {
		return nil, err
	}
	return auth.Basic(user, password)
}

func (o *OAuth2) authenticator(repl *filler, transport *egress.Transport) (auth.Authenticator, error) {
	client := auth.Client{InBody: o.CredentialsInBody, Params: map[string]string{}}
	for _, field := range []struct {
		what, text string
		to         *string
	}{{"token_url", o.TokenURL, &client.TokenURL}, {"client_id", o.ClientID, &client.ID}, {"client_secret", o.ClientSecret, &client.Secret}} {
		var err error
		if *field.to, err = fill(repl, field.what, field.text); err != nil {
			return nil, err
		}
	}
	if err := transport.CheckURL(client.TokenURL); err != nil {
		return nil, fmt.Errorf("token_url: %w", err)
	}
	var err error
	if client.Scopes, err = fillAll(repl, "scope", o.Scopes); err != nil {
		return nil, err
	}
	for name, text := range o.Params {
		if client.Params[name], err = fill(repl, "param "+name, text); err != nil {
			return nil, err
		}
	}
	return auth.ClientCredentials(client)
}

// unmarshalAuth reads
//
//	auth basic  <user> [<password>]
//	auth bearer <token>
//	auth header <name> <value> [<name> <value>...]
//	auth oauth2 <token url> {
//	    client_id     <id>
//	    client_secret <secret>
//	    scope         <scopes...>
//	    param         <name> <value>
//	    credentials_in_body
//	}
func (e *Endpoint) unmarshalAuth(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	e.Auth = &Auth{}
	switch {
	case len(args) >= 2 && len(args) <= 3 && args[0] == "basic":
		e.Auth.Basic = &BasicAuth{User: args[1]}
		if len(args) == 3 {
			e.Auth.Basic.Password = args[2]
		}
	case len(args) == 2 && args[0] == "bearer":
		e.Auth.Bearer = args[1]
	case len(args) >= 3 && len(args)%2 == 1 && args[0] == "header":
		e.Auth.Headers = map[string]string{}
		for i := 1; i < len(args); i += 2 {
			if err := sign.CheckHeader(args[i]); err != nil {
				return d.WrapErr(err)
			}
			e.Auth.Headers[args[i]] = args[i+1]
		}
	case len(args) == 2 && args[0] == "oauth2":
		return e.Auth.unmarshalOAuth2(d, args[1])
	default:
		return d.Err("auth takes `basic USER PASSWORD`, `bearer TOKEN`, `header NAME VALUE` or `oauth2 TOKEN_URL` with a block")
	}
	return nil
}

func (a *Auth) unmarshalOAuth2(d *caddyfile.Dispenser, tokenURL string) error {
	o := &OAuth2{TokenURL: tokenURL}
	a.OAuth2 = o
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch word := d.Val(); word {
		case "client_id":
			o.ClientID, err = argument.One(d)
		case "client_secret":
			o.ClientSecret, err = argument.One(d)
		case "scope":
			o.Scopes = append(o.Scopes, d.RemainingArgs()...)
		case "param":
			args := d.RemainingArgs()
			if len(args) != 2 {
				return d.Err("param takes a name and a value, as `param audience https://erp.example.com`")
			}
			if o.Params == nil {
				o.Params = map[string]string{}
			}
			o.Params[args[0]] = args[1]
		case "credentials_in_body":
			o.CredentialsInBody = true
		default:
			return d.Errf("unknown option %q of auth oauth2; it takes client_id, client_secret, scope, param and credentials_in_body", word)
		}
		if err != nil {
			return err
		}
	}
	if o.ClientID == "" || o.ClientSecret == "" {
		return d.Err("auth oauth2 needs a client_id and a client_secret")
	}
	return nil
}
