// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func must(t testing.TB) func(Authenticator, error) Authenticator {
	return func(a Authenticator, err error) Authenticator {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
}

func TestFixedCredentials(t *testing.T) {
	for _, test := range []struct {
		name string
		auth Authenticator
		want http.Header
	}{
		// The example of RFC 7617, section 2.
		{"basic", must(t)(Basic("Aladdin", "open sesame")), http.Header{"Authorization": {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}}},
		{"basic without a password", must(t)(Basic("sk_live", "")), http.Header{"Authorization": {"Basic c2tfbGl2ZTo="}}},
		{"basic with a colon and more in the password", must(t)(Basic("a", "b:ü")), http.Header{"Authorization": {"Basic YTpiOsO8"}}},
		{"bearer", must(t)(Bearer("mF_9.B5f-4.1JqM")), http.Header{"Authorization": {"Bearer mF_9.B5f-4.1JqM"}}},
		{"headers", must(t)(Headers(Field{"x-api-key", "k"}, Field{"authorization", "ApiKey k"})), http.Header{"X-Api-Key": {"k"}, "Authorization": {"ApiKey k"}}},
	} {
		header := http.Header{}
		if err := test.auth.Authenticate(t.Context(), nil, header); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		test.auth.Rejected(header)
		if fmt.Sprint(header) != fmt.Sprint(test.want) || len(test.auth.Headers()) != len(test.want) {
			t.Errorf("%s: got %v", test.name, header)
		}
	}
}

func TestCredentialsThatCannotBe(t *testing.T) {
	client := Client{ID: "canary", Secret: "canary", TokenURL: "https://login.example/canary"}
	changed := func(change func(*Client)) error {
		changed := client
		change(&changed)
		_, err := ClientCredentials(changed)
		return err
	}
	errorOf := func(_ Authenticator, err error) error { return err }
	for name, err := range map[string]error{
		"basic without a user":        errorOf(Basic("", "canary")),
		"basic with a colon":          errorOf(Basic("a:b", "canary")),
		"basic with a line end":       errorOf(Basic("a", "canary\n")),
		"bearer, empty":               errorOf(Bearer("")),
		"bearer with a line end":      errorOf(Bearer("canary\n")),
		"bearer with a header in it":  errorOf(Bearer("canary\r\nX: y")),
		"a long bearer":               errorOf(Bearer(strings.Repeat("canary", 2000))),
		"no header":                   errorOf(Headers()),
		"a header that is none":       errorOf(Headers(Field{"X Key", "canary"})),
		"a header that is needed":     errorOf(Headers(Field{"webhook-signature", "canary"})),
		"a header of the connection":  errorOf(Headers(Field{"Transfer-Encoding", "canary"})),
		"a header twice":              errorOf(Headers(Field{"X-Key", "canary"}, Field{"x-key", "canary"})),
		"an empty header":             errorOf(Headers(Field{"X-Key", ""})),
		"no client id":                changed(func(c *Client) { c.ID = "" }),
		"no client secret":            changed(func(c *Client) { c.Secret = "" }),
		"a secret with a line end":    changed(func(c *Client) { c.Secret += "\n" }),
		"no token URL":                changed(func(c *Client) { c.TokenURL = "" }),
		"a malformed token URL":       changed(func(c *Client) { c.TokenURL = "https://login.example:canary" }),
		"a parameter of the protocol": changed(func(c *Client) { c.Params = map[string]string{"scope": "canary"} }),
	} {
		if !errors.Is(err, ErrBadCredentials) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestEqual(t *testing.T) {
	client := func(change func(*Client)) Authenticator {
		c := Client{ID: "a", Secret: "b", TokenURL: "https://login.example", Scopes: []string{"s"}, Params: map[string]string{"p": "v"}}
		change(&c)
		return must(t)(ClientCredentials(c))
	}
	all := []Authenticator{
		nil,
		must(t)(Basic("a", "b")),
		must(t)(Basic("a", "c")),
		must(t)(Bearer("a")),
		must(t)(Headers(Field{"X-Key", "a"})),
		must(t)(Headers(Field{"X-Other", "a"})),
		client(func(*Client) {}),
		client(func(c *Client) { c.ID = "b" }),
		client(func(c *Client) { c.Secret = "c" }),
		client(func(c *Client) { c.TokenURL += "/" }),
		client(func(c *Client) { c.Scopes = nil }),
		client(func(c *Client) { c.Params = nil }),
		client(func(c *Client) { c.InBody = true }),
	}
	for i, a := range all {
		for j, b := range all {
			if Equal(a, b) != (i == j) {
				t.Errorf("%d and %d: %t", i, j, Equal(a, b))
			}
		}
	}
	if !Equal(must(t)(Basic("a", "b")), all[1]) || !Equal(client(func(*Client) {}), all[6]) {
		t.Error("the same again is not equal")
	}
}

func TestCredentialsNeverShow(t *testing.T) {
	var printed strings.Builder
	type within struct{ auth Authenticator }
	for _, a := range []Authenticator{
		must(t)(Basic("canary", "canary")), must(t)(Bearer("canary")), must(t)(Headers(Field{"X-Key", "canary"})),
		must(t)(ClientCredentials(Client{ID: "canary", Secret: "canary", TokenURL: "https://login.example/canary", Scopes: []string{"canary"}})),
	} {
		for _, value := range []any{a, within{a}, &within{a}, []Authenticator{a}} {
			text, _ := json.Marshal(value)
			fmt.Fprintf(&printed, "%v %+v %#v %s %q %d %x %s\n", value, value, value, value, value, value, value, text)
		}
	}
	for _, leak := range []string{"canary", "Y2FuYXJ5", "63616e617279", "99 97 110"} {
		if strings.Contains(printed.String(), leak) {
			t.Errorf("%q shows: %s", leak, printed.String())
		}
	}
	if !strings.Contains(printed.String(), redacted) {
		t.Error("nothing was redacted: the test prints nothing")
	}
}
