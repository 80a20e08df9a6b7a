// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const (
	// expiryMargin is how long before its expiry a token is replaced, so that
	// it does not expire in transit.
	expiryMargin = 10 * time.Second
	// failurePause is how long a failed request for a token counts for further
	// attempts: many waiting attempts must not all send requests to a server in
	// trouble.
	failurePause = time.Second
	// rejectAfter is how old a token must be to be dropped when a receiver
	// rejects it: a receiver that rejects every token must not cause requests
	// for new ones all the time.
	rejectAfter = 10 * time.Second
)

// Client says how to request tokens: OAuth 2.0 client credentials (RFC 6749,
// section 4.4).
type Client struct {
	// ID and Secret are the client's credentials. Required.
	ID, Secret string
	// TokenURL is where tokens are requested. Required. The egress policy, not
	// this package, decides which URLs are allowed.
	TokenURL string
	// Scopes are requested; the server chooses the default.
	Scopes []string
	// Params are further parameters, such as "audience" or "resource".
	Params map[string]string
	// InBody sends the credentials in the request's body, for servers that do
	// not accept them as HTTP Basic, which is the standard's own choice.
	InBody bool
	// Now is the clock. Default: [time.Now].
	Now func() time.Time
}

// clientCredentials keeps a token until it expires, and requests the next one
// when it is needed.
type clientCredentials struct {
	// A function, so that nothing prints the secret.
	client func() Client
	now    func() time.Time
	// turn is held while requesting a token: one request at a time.
	turn chan struct{}

	mu       sync.Mutex
	current  *token
	failure  error
	failedAt time.Time
}

type token struct {
	header string // the Authorization header's value
	got    time.Time
	end    time.Time // zero: unknown
}

// ClientCredentials returns an authenticator that requests tokens, or
// [ErrBadCredentials].
func ClientCredentials(client Client) (Authenticator, error) {
	for what, value := range map[string]string{"the client id": client.ID, "the client secret": client.Secret} {
		if value == "" || strings.ContainsFunc(value, isControl) || len(value) > maxValue {
			return nil, fmt.Errorf("%w: %s is empty, too long, or has a line end or another control character", ErrBadCredentials, what)
		}
	}
	if u, err := url.Parse(client.TokenURL); err != nil || u.Host == "" {
		return nil, fmt.Errorf("%w: the token URL is missing or malformed", ErrBadCredentials)
	}
	for _, reserved := range []string{"grant_type", "client_id", "client_secret", "scope"} {
		if _, ok := client.Params[reserved]; ok {
			return nil, fmt.Errorf("%w: the parameter %s has a place of its own", ErrBadCredentials, reserved)
		}
	}
	now := client.Now
	if now == nil {
		now = time.Now
	}
	return &clientCredentials{client: func() Client { return client }, now: now, turn: make(chan struct{}, 1)}, nil
}

// Authenticate implements [Authenticator]. It fails with a [*TokenError].
func (c *clientCredentials) Authenticate(ctx context.Context, tokens http.RoundTripper, header http.Header) error {
	value, err := c.token(ctx, tokens)
	if err != nil {
		return err
	}
	header["Authorization"] = []string{value}
	return nil
}

func (c *clientCredentials) token(ctx context.Context, transport http.RoundTripper) (string, error) {
	if value, err := c.known(); value != "" || err != nil {
		return value, err
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return "", &TokenError{cause: ctx.Err()}
	}
	// Another attempt may have got one meanwhile, or failed to.
	if value, err := c.known(); value != "" || err != nil {
		return value, err
	}
	fresh, err := c.ask(ctx, transport)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			c.failure, c.failedAt = err, c.now()
		}
		return "", err
	}
	c.current, c.failure = fresh, nil
	return fresh.header, nil
}

// known returns the current token, or the failure that still counts.
func (c *clientCredentials) known() (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if c.current != nil && (c.current.end.IsZero() || now.Before(c.current.end.Add(-expiryMargin))) {
		return c.current.header, nil
	}
	if c.failure != nil && now.Sub(c.failedAt) < failurePause {
		return "", c.failure
	}
	return "", nil
}

// ask requests a token from the server.
func (c *clientCredentials) ask(ctx context.Context, transport http.RoundTripper) (*token, error) {
	client := c.client()
	config := clientcredentials.Config{
		ClientID: client.ID, ClientSecret: client.Secret, TokenURL: client.TokenURL, Scopes: client.Scopes,
		EndpointParams: url.Values{}, AuthStyle: oauth2.AuthStyleInHeader,
	}
	for name, value := range client.Params {
		config.EndpointParams.Set(name, value)
	}
	if client.InBody {
		config.AuthStyle = oauth2.AuthStyleInParams
	}
	asking := context.WithValue(ctx, oauth2.HTTPClient, &http.Client{
		Transport: transport,
		// Credentials go where the operator sends them, and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})
	asked := c.now()
	got, err := config.Token(asking)
	if err != nil {
		return nil, newTokenError(ctx, err)
	}
	header := got.Type() + " " + got.AccessToken
	if checkValue("the token", header) != nil {
		return nil, &TokenError{Reason: "the answer has no usable token"}
	}
	return &token{header: header, got: asked, end: got.Expiry}, nil
}

// Rejected implements [Authenticator]: a token that a receiver rejects is not
// used again, even if it has not expired.
func (c *clientCredentials) Rejected(header http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil && header.Get("Authorization") == c.current.header && c.now().Sub(c.current.got) >= rejectAfter {
		c.current = nil
	}
}

// Headers implements [Authenticator].
func (c *clientCredentials) Headers() []string { return []string{"Authorization"} }

// Equal implements [Authenticator].
func (c *clientCredentials) Equal(other Authenticator) bool {
	o, ok := other.(*clientCredentials)
	if !ok {
		return false
	}
	a, b := c.client(), o.client()
	return a.ID == b.ID && a.Secret == b.Secret && a.TokenURL == b.TokenURL && a.InBody == b.InBody &&
		slices.Equal(a.Scopes, b.Scopes) && maps.Equal(a.Params, b.Params)
}

// Format writes a constant in place of the credentials, whatever the verb.
func (c *clientCredentials) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redacted) }

// MarshalText returns a constant in place of the credentials.
func (c *clientCredentials) MarshalText() ([]byte, error) { return []byte(redacted), nil }
